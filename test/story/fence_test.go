package story_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// A replica is one of several operators that elect a leader. A service account of its own
// identifies it to the API server and in the audit log.
type replica struct {
	*operator
	user string
}

// newReplica starts an operator that takes part in the leader election of a namespace. It has its
// own store and service account.
func newReplica(ctx context.Context, ns, name string) *replica {
	GinkgoHelper()
	r := &replica{operator: market.copied(), user: "system:serviceaccount:" + ns + ":" + name}
	r.Process = nil
	r.Metrics, r.Probes = fixture.FreeAddress(), fixture.FreeAddress()
	r.Store = filepath.Join(GinkgoT().TempDir(), name)
	Expect(os.Mkdir(r.Store, 0o755)).To(Succeed())
	r.Args = append(slices.Clone(market.Args),
		"--store-dir", r.Store, "--repository-bind-address", fixture.FreeAddress(),
		"--metrics-bind-address", r.Metrics, "--health-probe-bind-address", r.Probes,
		"--leader-elect", "--leader-election-namespace", ns, "--kubeconfig", account(ctx, ns, name))
	DeferCleanup(func() {
		if r.Process != nil {
			r.Kill() // A stopped process handles no other signal.
		}
	})
	r.Start()
	return r
}

// account creates a service account with all permissions, and returns a kubeconfig for it.
func account(ctx context.Context, ns, name string) string {
	GinkgoHelper()
	Expect(cluster.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}})).To(Succeed())
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: ns + "-" + name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: name}},
	}
	Expect(cluster.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(cluster.Delete(ctx, binding)).To(Succeed()) })

	config, err := clientcmd.LoadFromFile(os.Getenv("KUBECONFIG"))
	Expect(err).NotTo(HaveOccurred())
	token := strings.TrimSpace(kubectl(ctx, "create", "token", name, "--namespace", ns))
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{name: {Token: token}}
	config.Contexts[config.CurrentContext].AuthInfo = name
	path := filepath.Join(GinkgoT().TempDir(), name+".kubeconfig")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

// signal sends a signal to the process, such as SIGSTOP or SIGCONT.
func (r *replica) signal(s syscall.Signal) {
	GinkgoHelper()
	Expect(r.Process.Process.Signal(s)).To(Succeed())
}

// ends waits until the operator has exited with an error.
func (r *replica) ends(ctx context.Context) {
	GinkgoHelper()
	ended := make(chan error, 1)
	go func(wait func() error) { ended <- wait() }(r.Process.Wait)
	Eventually(ended).WithContext(ctx).Should(Receive(HaveOccurred()))
	r.Process = nil
}

// wrote returns the successful writes of the replica in the namespaces since the trail was taken,
// including impersonated ones.
func (r *replica) wrote(since trail, namespaces ...string) []asked {
	GinkgoHelper()
	text, err := os.ReadFile(auditLog())
	Expect(err).NotTo(HaveOccurred())
	Expect(len(text)).To(BeNumerically(">=", int(since)), "the audit log was rotated")
	var found []asked
	for line := range bytes.Lines(text[since:]) {
		if !bytes.Contains(line, []byte(r.user)) || !bytes.HasSuffix(line, []byte("\n")) {
			continue
		}
		var a struct {
			asked
			User           struct{ Username string }
			ResponseStatus struct{ Code int }
		}
		Expect(json.Unmarshal(line, &a)).To(Succeed())
		if a.User.Username == r.user && a.writes() && a.ResponseStatus.Code < 300 && slices.Contains(namespaces, a.ObjectRef.Namespace) {
			found = append(found, a.asked)
		}
	}
	return found
}

// leader returns the holder of the operators' lease in a namespace.
func leader(ctx context.Context, ns string) string {
	GinkgoHelper()
	lease := &coordinationv1.Lease{}
	Expect(cluster.Get(ctx, client.ObjectKey{Namespace: ns, Name: "appmarket.io"}, lease)).To(Succeed())
	Expect(lease.Spec.HolderIdentity).NotTo(BeNil())
	return *lease.Spec.HolderIdentity
}

var _ = Describe("An operator that was stopped while it led", func() {
	DescribeTable("writes nothing when it goes on",
		func(ctx SpecContext, at moment, finished bool) {
			market.Stop()
			DeferCleanup(market.Start)
			system, ns := namespace(ctx, "system"), namespace(ctx, "market")
			first := newReplica(ctx, system, "first")
			repo := fixture.NewRepository()
			archive := worker("1.0.0")
			repo.Handle("/worker-1.0.0.tgz", fixture.Content(archive))
			repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(fixture.NewOffer("worker", "1.0.0", "worker-1.0.0.tgz", archive))))
			source := sourceOf(ctx, ns, "workers", repo.URL, sharedByAll)
			eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
			led := leader(ctx, system)
			second := newReplica(ctx, system, "second")

			By("stopping in the middle of several installs")
			t := newTenant(ctx, source)
			saw := t.witness(ctx)
			begin := takeTrail()
			var tasks []*v1alpha1.AppInstallTask
			t.at(ctx, at, func() { tasks = t.all(ctx, v1alpha1.ActionInstall) })
			first.signal(syscall.SIGSTOP)
			Expect(first.wrote(begin, t.Namespace)).NotTo(BeEmpty())
			Expect(second.wrote(begin, t.Namespace, ns)).To(BeEmpty(), "it does not lead yet")

			By("being followed by another")
			Eventually(func() string { return leader(ctx, system) }).WithContext(ctx).ShouldNot(Or(Equal(led), BeEmpty()))
			if finished {
				for _, task := range tasks {
					t.succeed(ctx, task)
				}
			}
			taken := takeTrail()
			first.signal(syscall.SIGCONT)
			first.ends(ctx)
			for _, task := range tasks {
				t.succeed(ctx, task)
			}
			second.WaitIdle(ctx)
			Expect(first.wrote(taken, t.Namespace, ns)).To(BeEmpty())
			Expect(second.wrote(begin, t.Namespace)).NotTo(BeEmpty())

			By("having each app installed once")
			t.released(ctx)
			saw.hooks(ctx, "-pre-install", "-post-install")
			Expect(t.interrupted(ctx)).NotTo(BeZero(), "nothing was cut off")
			Expect(names[*corev1.PersistentVolumeClaim](saw, watch.Added)).To(Equal(each("-data")))
			Expect(names[*appsv1.Deployment](saw, watch.Added)).To(Equal(each("")))
			Expect(names[*corev1.PersistentVolumeClaim](saw, watch.Deleted)).To(BeEmpty())
			keepTheContract(ctx, t.Namespace, ns)
		},
		Entry("stopped while a hook ran, until all was done", hookBegan("pre-install"), true),
		Entry("stopped while a hook ran, until another led", hookBegan("pre-install"), false),
		Entry("stopped when a claim was made, until another led", claimMade, false),
	)
})
