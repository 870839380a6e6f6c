package story_test

import (
	"context"
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
// own store, repository and service account. The arguments override earlier ones.
func newReplica(ctx context.Context, ns, name string, args ...string) *replica {
	GinkgoHelper()
	r := &replica{operator: defaultOperator.copySettings(), user: "system:serviceaccount:" + ns + ":" + name}
	r.Process = nil
	r.Metrics, r.Probes = fixture.FreeAddress(), fixture.FreeAddress()
	r.Store = filepath.Join(GinkgoT().TempDir(), name)
	Expect(os.Mkdir(r.Store, 0o755)).To(Succeed())
	address := fixture.FreeAddress()
	r.URL = "http://" + address
	r.Args = append(append(slices.Clone(defaultOperator.Args),
		"--store-dir", r.Store, "--repository-bind-address", address,
		"--metrics-bind-address", r.Metrics, "--health-probe-bind-address", r.Probes,
		"--leader-elect", "--leader-election-namespace", ns, "--kubeconfig", createAdminAccount(ctx, ns, name)), args...)
	DeferCleanup(func() {
		if r.Process != nil {
			r.Kill() // A suspended process handles no other signal.
		}
	})
	r.Start()
	return r
}

// createAdminAccount creates a service account with all permissions, and returns a kubeconfig for it.
func createAdminAccount(ctx context.Context, ns, name string) string {
	GinkgoHelper()
	Expect(k8sClient.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}})).To(Succeed())
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: ns + "-" + name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: name}},
	}
	Expect(k8sClient.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(k8sClient.Delete(ctx, binding)).To(Succeed()) })

	config, err := clientcmd.LoadFromFile(os.Getenv("KUBECONFIG"))
	Expect(err).NotTo(HaveOccurred())
	token := strings.TrimSpace(runKubectl(ctx, "create", "token", name, "--namespace", ns))
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{name: {Token: token}}
	config.Contexts[config.CurrentContext].AuthInfo = name
	path := filepath.Join(GinkgoT().TempDir(), name+".kubeconfig")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

// sendSignal sends a signal to the process, such as SIGSTOP or SIGCONT.
func (r *replica) sendSignal(s syscall.Signal) {
	GinkgoHelper()
	Expect(r.Process.Process.Signal(s)).To(Succeed())
}

// waitExit waits until the operator has exited with an error.
func (r *replica) waitExit(ctx context.Context) {
	GinkgoHelper()
	ended := make(chan error, 1)
	go func(wait func() error) { ended <- wait() }(r.Process.Wait)
	Eventually(ended).WithContext(ctx).Should(Receive(HaveOccurred()))
	r.Process = nil
}

// successfulWrites returns the successful writes of the replica in the namespaces since a position of
// the audit log, including impersonated ones.
func (r *replica) successfulWrites(since fixture.AuditPosition, namespaces ...string) []fixture.AuditEvent {
	GinkgoHelper()
	var found []fixture.AuditEvent
	for _, e := range cluster.AuditEvents(since, r.user) {
		if e.User.Username == r.user && e.IsWrite() && e.ResponseStatus.Code < 300 && slices.Contains(namespaces, e.ObjectRef.Namespace) {
			found = append(found, e)
		}
	}
	return found
}

// leaseHolder returns the holder of the operators' lease in a namespace.
func leaseHolder(ctx context.Context, ns string) string {
	GinkgoHelper()
	lease := &coordinationv1.Lease{}
	Expect(k8sClient.Get(ctx, client.ObjectKey{Namespace: ns, Name: "appmarket.io"}, lease)).To(Succeed())
	Expect(lease.Spec.HolderIdentity).NotTo(BeNil())
	return *lease.Spec.HolderIdentity
}

var _ = Describe("An operator that is suspended while it is the leader", func() {
	DescribeTable("writes nothing after it continues",
		func(ctx SpecContext, at trigger, finished bool) {
			defaultOperator.Stop()
			DeferCleanup(defaultOperator.Start)
			system, ns := createNamespace(ctx, "system"), createNamespace(ctx, "market")
			first := newReplica(ctx, system, "first")
			repo := fixture.NewRepository()
			archive := workerChart("1.0.0")
			repo.AddArchive("worker", "1.0.0", archive)
			source := cluster.CreateSource(ctx, ns, "workers", repo.URL, fixture.ShareWithAll)
			waitTrue(ctx, source, v1alpha1.ConditionReady)
			led := leaseHolder(ctx, system)
			second := newReplica(ctx, system, "second")

			By("suspending it during several installations")
			t := newTenant(ctx, source)
			recorder := t.startRecorder(ctx)
			begin := cluster.AuditPosition()
			var tasks []*v1alpha1.AppInstallTask
			t.runUntil(ctx, at, func() { tasks = t.createWorkerTasks(ctx, v1alpha1.ActionInstall) })
			first.sendSignal(syscall.SIGSTOP)
			Expect(first.successfulWrites(begin, t.Namespace)).NotTo(BeEmpty())
			Expect(second.successfulWrites(begin, t.Namespace, ns)).To(BeEmpty(), "the second replica is not the leader yet")

			By("waiting for another leader")
			Eventually(func() string { return leaseHolder(ctx, system) }).WithContext(ctx).ShouldNot(Or(Equal(led), BeEmpty()))
			if finished {
				for _, task := range tasks {
					t.waitSucceeded(ctx, task)
				}
			}
			taken := cluster.AuditPosition()
			first.sendSignal(syscall.SIGCONT)
			first.waitExit(ctx)
			for _, task := range tasks {
				t.waitSucceeded(ctx, task)
			}
			second.WaitIdle(ctx)
			Expect(first.successfulWrites(taken, t.Namespace, ns)).To(BeEmpty())
			Expect(second.successfulWrites(begin, t.Namespace)).NotTo(BeEmpty())

			By("installing each app once")
			t.expectDeployed(ctx)
			recorder.expectHooksOnce(ctx, "-pre-install", "-post-install")
			Expect(t.countInterrupted(ctx)).NotTo(BeZero(), "an operation is interrupted")
			Expect(recordedNames[*corev1.PersistentVolumeClaim](recorder, watch.Added)).To(Equal(workerObjects("-data")))
			Expect(recordedNames[*appsv1.Deployment](recorder, watch.Added)).To(Equal(workerObjects("")))
			Expect(recordedNames[*corev1.PersistentVolumeClaim](recorder, watch.Deleted)).To(BeEmpty())
			expectStatusContract(ctx, t.Namespace, ns)
		},
		Entry("suspended while a hook runs, until all tasks are finished", hookStarted("pre-install"), true),
		Entry("suspended while a hook runs, until there is another leader", hookStarted("pre-install"), false),
		Entry("suspended after a claim is created, until there is another leader", claimCreated, false),
	)
})
