package story_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// unprivileged is a service account without permissions.
const unprivileged = "unprivileged"

// roleLines returns the rules of a role, one line for each resource.
func roleLines(role *rbacv1.Role) []string {
	var lines []string
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			name := strings.TrimPrefix(rule.APIGroups[0]+"/"+resource, "/")
			if len(rule.ResourceNames) > 0 {
				name += " " + strings.Join(rule.ResourceNames, ",")
			}
			lines = append(lines, name+": "+strings.Join(rule.Verbs, " "))
		}
	}
	return lines
}

// readRemedy reads the YAML that fixes a problem from a task, as documented, and returns its file and
// the Role at its beginning.
func (t *tenant) readRemedy(ctx context.Context, task *v1alpha1.AppInstallTask, problem int) (string, *rbacv1.Role) {
	GinkgoHelper()
	text := runKubectl(ctx, "get", "atask", task.Name, "-n", t.Namespace, "-o", fmt.Sprintf("jsonpath={.status.preflight[%d].remedy}", problem))
	Expect(text).NotTo(BeEmpty())
	path := writeRemedyFile(text)
	first, _, _ := strings.Cut(text, "\n---\n")
	role := &rbacv1.Role{}
	Expect(yaml.UnmarshalStrict([]byte(first), role)).To(Succeed())
	return path, role
}

// writeRemedyFile writes a text to a file for kubectl and returns its path.
func writeRemedyFile(text string) string {
	GinkgoHelper()
	Expect(text).NotTo(BeEmpty())
	path := filepath.Join(GinkgoT().TempDir(), "remedy.yaml")
	Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	return path
}

// userName returns the user name of a service account of the tenant.
func (t *tenant) userName(account string) string {
	return "system:serviceaccount:" + t.Namespace + ":" + account
}

// waitPermitted waits until the authorizer uses a role that was applied.
func (t *tenant) waitPermitted(ctx context.Context, attributes authorizationv1.ResourceAttributes) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: t.userName(unprivileged), Groups: []string{"system:serviceaccounts", "system:authenticated"}, ResourceAttributes: &attributes,
		}}
		g.Expect(k8sClient.Create(ctx, review)).To(Succeed())
		g.Expect(review.Status.Allowed).To(BeTrue())
	}).WithContext(ctx).Should(Succeed())
}

// objectState returns the objects that a rejected task must not change.
func (t *tenant) objectState(ctx context.Context) []string {
	GinkgoHelper()
	found := t.listLeftovers(ctx)
	var instances v1alpha1.AppInstanceList
	Expect(k8sClient.List(ctx, &instances, client.InNamespace(t.Namespace))).To(Succeed())
	for _, i := range instances.Items {
		found = append(found, fmt.Sprintf("AppInstance/%s %d %s", i.Name, i.Generation, i.Status.Version))
	}
	return found
}

// deniedRequests returns the requests of the unprivileged account that were denied since a position of
// the audit log, except requests whose denial is tolerated: quotas, limit ranges, events, the namespace,
// which the Helm library reads if an object does not exist, and watches of inputs, whose changes then
// take effect at the next reconcile.
func (t *tenant) deniedRequests(since fixture.AuditPosition) []string {
	GinkgoHelper()
	var found []string
	optional := []string{"resourcequotas", "limitranges", "namespaces", "events"} // denied events only shorten messages
	for _, e := range cluster.AuditEvents(since, t.userName(unprivileged)) {
		isInputWatch := e.Verb == "watch" && (e.ObjectRef.Resource == "secrets" || e.ObjectRef.Resource == "configmaps")
		if e.ResponseStatus.Code == http.StatusForbidden && !slices.Contains(optional, e.ObjectRef.Resource) && !isInputWatch {
			found = append(found, e.String())
		}
	}
	return found
}

// asUnprivileged makes a task use the service account without permissions.
func asUnprivileged(s *v1alpha1.AppInstallTaskSpec) { s.ServiceAccountName = unprivileged }

var _ = Describe("A tenant whose service account has no permissions", Ordered, ContinueOnFailure, func() {
	var source *v1alpha1.MarketSource
	var t *tenant

	BeforeAll(func(ctx SpecContext) {
		repo := fixture.NewRepository()
		for _, version := range []string{"1.0.0", "1.1.0"} {
			archive := officeChart(version)
			repo.AddArchive("office", version, archive)
		}
		archive := clusterRoleChart()
		repo.AddArchive("embassy", "1.0.0", archive)
		source = cluster.CreateSource(ctx, createNamespace(ctx, "market"), "offices", repo.URL, fixture.ShareWithAll)
		waitTrue(ctx, source, v1alpha1.ConditionReady)
	})

	BeforeEach(func(ctx SpecContext) {
		t = newTenant(ctx, source)
		Expect(k8sClient.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: unprivileged}})).To(Succeed())
	})

	// The tenant's own service account installs the version that the action starts from.
	installVersion := func(ctx context.Context, version string) {
		GinkgoHelper()
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionInstall, "office", func(s *v1alpha1.AppInstallTaskSpec) { s.EnsureParameters().Version = version }))
	}
	installOld := func(ctx context.Context) { installVersion(ctx, "1.0.0") }
	installNew := func(ctx context.Context) { installVersion(ctx, "1.1.0") }
	installUpgraded := func(ctx context.Context) {
		installOld(ctx)
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionUpgrade, "office"))
	}
	installStopped := func(ctx context.Context) {
		installNew(ctx)
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionStop, "office"))
	}
	installWithHelm := func(ctx context.Context) {
		fixture.NewHelm(cluster, "HELM3").Run(ctx, "install", "office", "office", "--repo", source.Status.RepositoryURL,
			"--version", "1.0.0", "--namespace", t.Namespace, "--set", "greeting=mine", "--wait")
	}
	installNothing := func(context.Context) {}
	withoutChange := func(*v1alpha1.AppInstallTaskSpec) {}

	DescribeTable("gets all missing permissions at once, and succeeds with the Role in the remedy",
		func(ctx SpecContext, action v1alpha1.Action, prepare func(context.Context), change func(*v1alpha1.AppInstallTaskSpec)) {
			prepare(ctx)
			before := t.objectState(ctx)
			first := t.Task(ctx, action, "office", change, asUnprivileged)
			message := t.waitFailed(ctx, first, v1alpha1.ReasonPermissionDenied)
			Expect(message).To(MatchRegexp(`^service account "unprivileged" lacks .+ in namespace "%s" that app "office" requires; apply status.preflight\[0\].remedy$`, t.Namespace))
			Expect(first.Status.Preflight).To(HaveLen(1))
			Expect(first.Status.Preflight[0].Reason).To(Equal(v1alpha1.ReasonPermissionDenied))
			Expect(first.Status.InstanceRef).To(BeNil())
			Expect(t.objectState(ctx)).To(Equal(before), "a rejected task changes nothing")

			By("applying the remedy as the administrator of the namespace")
			path, role := t.readRemedy(ctx, first, 0)
			Expect(role.Kind).To(Equal("Role"))
			runKubectl(ctx, "apply", "-f", path, "--as", t.userName("tenant"))
			t.waitPermitted(ctx, authorizationv1.ResourceAttributes{Namespace: t.Namespace, Verb: "list", Resource: "pods"})

			since := cluster.AuditPosition()
			second := t.Task(ctx, action, "office", change, asUnprivileged)
			t.waitSucceeded(ctx, second)
			Expect(t.Instance(ctx, second.Status.InstanceRef.Name).Spec.ServiceAccountName).To(Equal(unprivileged))
			defaultOperator.WaitIdle(ctx)
			Expect(t.deniedRequests(since)).To(BeEmpty(), "the Role contains all permissions that are used")
			expectStatusContract(ctx, t.Namespace)
		},
		Entry("Install", v1alpha1.ActionInstall, installNothing, withoutChange),
		Entry("Upgrade", v1alpha1.ActionUpgrade, installOld, withoutChange),
		Entry("Configure", v1alpha1.ActionConfigure, installOld, func(s *v1alpha1.AppInstallTaskSpec) {
			s.EnsureConfiguration().Values = values{"greeting": "configured"}.toRaw()
		}),
		Entry("Rollback", v1alpha1.ActionRollback, installUpgraded, withoutChange),
		Entry("Clone", v1alpha1.ActionClone, installNew, func(s *v1alpha1.AppInstallTaskSpec) {
			s.InstanceName, s.EnsureParameters().Title = "branch", "Branch office"
			s.Clone.From.Name = "office"
		}),
		Entry("Stop", v1alpha1.ActionStop, installNew, withoutChange),
		Entry("Resume", v1alpha1.ActionResume, installStopped, withoutChange),
		Entry("Restart", v1alpha1.ActionRestart, installNew, withoutChange),
		Entry("Uninstall", v1alpha1.ActionUninstall, installNew, withoutChange),
		Entry("Adopt", v1alpha1.ActionAdopt, installWithHelm, withVersion("1.0.0")),
	)

	It("gets only the permissions that the objects of the app require", func(ctx SpecContext) {
		task := t.Task(ctx, v1alpha1.ActionInstall, "office", withVersion("1.1.0"), asUnprivileged)
		t.waitFailed(ctx, task, v1alpha1.ReasonPermissionDenied)
		_, role := t.readRemedy(ctx, task, 0)
		const followed, hook = "create delete get list patch watch", "create delete get watch"
		Expect(roleLines(role)).To(ConsistOf(
			"secrets: create delete get list update", "pods: list", // Helm's records, and the Pods for messages
			"configmaps: "+followed, "services: "+followed, "persistentvolumeclaims: "+followed, "apps/deployments: "+followed,
			"autoscaling/horizontalpodautoscalers: list", "batch/jobs: "+hook,
			"rbac.authorization.k8s.io/roles: "+followed, "rbac.authorization.k8s.io/rolebindings: "+followed,
			"endpoints: get", // granted by the app's own Role
		))
	})

	It("needs a cluster administrator for cluster-scoped objects", func(ctx SpecContext) {
		name := t.Namespace + "-embassy"
		task := t.Task(ctx, v1alpha1.ActionInstall, "embassy", asUnprivileged)
		t.waitFailed(ctx, task, v1alpha1.ReasonPermissionDenied)
		Expect(task.Status.Preflight).To(HaveLen(2))
		Expect(task.Status.Preflight[1].Reason).To(Equal(v1alpha1.ReasonClusterPermissionRequired))
		Expect(task.Status.Preflight[1].Message).To(ContainSubstring("ClusterRole/" + name))

		By("applying the Role as the administrator of the namespace")
		path, _ := t.readRemedy(ctx, task, 0)
		runKubectl(ctx, "apply", "-f", path, "--as", t.userName("tenant"))
		t.waitPermitted(ctx, authorizationv1.ResourceAttributes{Namespace: t.Namespace, Verb: "list", Resource: "pods"})
		task = t.Task(ctx, v1alpha1.ActionInstall, "embassy", asUnprivileged)
		t.waitFailed(ctx, task, v1alpha1.ReasonClusterPermissionRequired)
		Expect(task.Status.Preflight).To(HaveLen(1))
		Expect(t.objectState(ctx)).To(BeEmpty())

		By("applying the ClusterRole")
		path, role := t.readRemedy(ctx, task, 0)
		Expect(role.Kind).To(Equal("ClusterRole"))
		Expect(roleLines(role)).To(ConsistOf("rbac.authorization.k8s.io/clusterroles: create",
			"rbac.authorization.k8s.io/clusterroles "+name+": delete get patch", "endpoints: get"))
		runKubectl(ctx, "apply", "-f", path)
		DeferCleanup(func(ctx SpecContext) { runKubectl(ctx, "delete", "-f", path) })
		t.waitPermitted(ctx, authorizationv1.ResourceAttributes{Verb: "create", Group: rbacv1.GroupName, Resource: "clusterroles"})
		since := cluster.AuditPosition()
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionInstall, "embassy", asUnprivileged))
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionUninstall, "embassy", asUnprivileged))
		Expect(t.deniedRequests(since)).To(HaveEach("list persistentvolumeclaims/"),
			"a removal lists claims that its objects own, and continues if the list is denied")
		Expect(slices.ContainsFunc(t.objectState(ctx), func(s string) bool { return strings.HasPrefix(s, "Secret/") })).To(BeFalse())
	})
})
