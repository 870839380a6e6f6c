package story_test

import (
	"bytes"
	"context"
	"encoding/json"
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

// poor is a service account without permissions.
const poor = "poor"

// rightsOf returns the rules of a role, one line for each resource.
func rightsOf(role *rbacv1.Role) []string {
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

// remedy reads the YAML that fixes a problem from a task, as documented, and returns its file and
// the Role at its beginning.
func (t *tenant) remedy(ctx context.Context, task *v1alpha1.AppInstallTask, problem int) (string, *rbacv1.Role) {
	GinkgoHelper()
	text := kubectl(ctx, "get", "atask", task.Name, "-n", t.Namespace, "-o", fmt.Sprintf("jsonpath={.status.preflight[%d].remedy}", problem))
	Expect(text).NotTo(BeEmpty())
	path := written(text)
	first, _, _ := strings.Cut(text, "\n---\n")
	role := &rbacv1.Role{}
	Expect(yaml.UnmarshalStrict([]byte(first), role)).To(Succeed())
	return path, role
}

// written writes a text to a file for kubectl and returns its path.
func written(text string) string {
	GinkgoHelper()
	Expect(text).NotTo(BeEmpty())
	path := filepath.Join(GinkgoT().TempDir(), "remedy.yaml")
	Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	return path
}

// user returns the user name of a service account of the tenant.
func (t *tenant) user(account string) string {
	return "system:serviceaccount:" + t.Namespace + ":" + account
}

// eventuallyMay waits until the authorizer uses a role that was applied.
func (t *tenant) eventuallyMay(ctx context.Context, attributes authorizationv1.ResourceAttributes) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: t.user(poor), Groups: []string{"system:serviceaccounts", "system:authenticated"}, ResourceAttributes: &attributes,
		}}
		g.Expect(cluster.Create(ctx, review)).To(Succeed())
		g.Expect(review.Status.Allowed).To(BeTrue())
	}).WithContext(ctx).Should(Succeed())
}

// state returns the objects that a rejected task must not change.
func (t *tenant) state(ctx context.Context) []string {
	GinkgoHelper()
	found := t.leftovers(ctx)
	var instances v1alpha1.AppInstanceList
	Expect(cluster.List(ctx, &instances, client.InNamespace(t.Namespace))).To(Succeed())
	for _, i := range instances.Items {
		found = append(found, fmt.Sprintf("AppInstance/%s %d %s", i.Name, i.Generation, i.Status.Version))
	}
	return found
}

// refused returns the requests of the poor account that were denied since the trail was taken.
// Requests whose denial is tolerated are left out: quotas, limit ranges, events, and the namespace,
// which the Helm library reads if an object does not exist.
func (t *tenant) refused(since trail) []string {
	GinkgoHelper()
	text, err := os.ReadFile(auditLog())
	Expect(err).NotTo(HaveOccurred())
	Expect(len(text)).To(BeNumerically(">=", int(since)), "the audit log was rotated")
	var found []string
	for line := range bytes.Lines(text[since:]) {
		if !bytes.Contains(line, []byte(t.user(poor))) || !bytes.HasSuffix(line, []byte("\n")) {
			continue
		}
		var a struct {
			asked
			ResponseStatus struct{ Code int }
		}
		Expect(json.Unmarshal(line, &a)).To(Succeed())
		optional := []string{"resourcequotas", "limitranges", "namespaces", "events"} // denied events only shorten messages
		if a.ResponseStatus.Code == http.StatusForbidden && !slices.Contains(optional, a.ObjectRef.Resource) {
			found = append(found, a.String())
		}
	}
	return found
}

// asPoor makes a task use the service account without permissions.
func asPoor(s *v1alpha1.AppInstallTaskSpec) { s.ServiceAccountName = poor }

var _ = Describe("A tenant whose account may do nothing", Ordered, ContinueOnFailure, func() {
	var source *v1alpha1.MarketSource
	var t *tenant

	BeforeAll(func(ctx SpecContext) {
		repo := fixture.NewRepository()
		var all []fixture.Offer
		for _, version := range []string{"1.0.0", "1.1.0"} {
			archive := office(version)
			repo.Handle("/office-"+version+".tgz", fixture.Content(archive))
			all = append(all, fixture.NewOffer("office", version, "office-"+version+".tgz", archive))
		}
		archive := embassy()
		repo.Handle("/embassy.tgz", fixture.Content(archive))
		repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(append(all, fixture.NewOffer("embassy", "1.0.0", "embassy.tgz", archive))...)))
		source = sourceOf(ctx, namespace(ctx, "market"), "offices", repo.URL, sharedByAll)
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
	})

	BeforeEach(func(ctx SpecContext) {
		t = newTenant(ctx, source)
		Expect(cluster.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: poor}})).To(Succeed())
	})

	// The tenant's own service account installs the version that the action starts from.
	installed := func(ctx context.Context, version string) {
		GinkgoHelper()
		t.succeed(ctx, t.Task(ctx, v1alpha1.ActionInstall, "office", func(s *v1alpha1.AppInstallTaskSpec) { s.EnsureParameters().Version = version }))
	}
	old := func(ctx context.Context) { installed(ctx, "1.0.0") }
	newest := func(ctx context.Context) { installed(ctx, "1.1.0") }
	upgraded := func(ctx context.Context) {
		old(ctx)
		t.succeed(ctx, t.Task(ctx, v1alpha1.ActionUpgrade, "office"))
	}
	stopped := func(ctx context.Context) {
		newest(ctx)
		t.succeed(ctx, t.Task(ctx, v1alpha1.ActionStop, "office"))
	}
	byHelm := func(ctx context.Context) {
		newHelmClient("HELM3", "helm3").run(ctx, "install", "office", "office", "--repo", source.Status.RepositoryURL,
			"--version", "1.0.0", "--namespace", t.Namespace, "--set", "greeting=mine", "--wait")
	}
	nothing := func(context.Context) {}
	asItIs := func(*v1alpha1.AppInstallTaskSpec) {}

	DescribeTable("is told all that is missing at once, and may with the role that is printed",
		func(ctx SpecContext, action v1alpha1.Action, before func(context.Context), change func(*v1alpha1.AppInstallTaskSpec)) {
			before(ctx)
			was := t.state(ctx)
			first := t.Task(ctx, action, "office", change, asPoor)
			message := t.fails(ctx, first, v1alpha1.ReasonPermissionDenied)
			Expect(message).To(MatchRegexp(`^service account "poor" lacks .+ in namespace "%s" that app "office" requires; apply status.preflight\[0\].remedy$`, t.Namespace))
			Expect(first.Status.Preflight).To(HaveLen(1))
			Expect(first.Status.Preflight[0].Reason).To(Equal(v1alpha1.ReasonPermissionDenied))
			Expect(first.Status.InstanceRef).To(BeNil())
			Expect(t.state(ctx)).To(Equal(was), "a task that was refused has done something")

			By("having the administrator of the namespace apply the remedy, who may do no more than in it")
			path, role := t.remedy(ctx, first, 0)
			Expect(role.Kind).To(Equal("Role"))
			kubectl(ctx, "apply", "-f", path, "--as", t.user("tenant"))
			t.eventuallyMay(ctx, authorizationv1.ResourceAttributes{Namespace: t.Namespace, Verb: "list", Resource: "pods"})

			since := takeTrail()
			second := t.Task(ctx, action, "office", change, asPoor)
			t.succeed(ctx, second)
			Expect(t.Instance(ctx, second.Status.InstanceRef.Name).Spec.ServiceAccountName).To(Equal(poor))
			market.WaitIdle(ctx)
			Expect(t.refused(since)).To(BeEmpty(), "asked for what the role does not have")
			keepTheContract(ctx, t.Namespace)
		},
		Entry("Install", v1alpha1.ActionInstall, nothing, asItIs),
		Entry("Upgrade", v1alpha1.ActionUpgrade, old, asItIs),
		Entry("Configure", v1alpha1.ActionConfigure, old, func(s *v1alpha1.AppInstallTaskSpec) {
			s.EnsureConfiguration().Values = values{"greeting": "configured"}.raw()
		}),
		Entry("Rollback", v1alpha1.ActionRollback, upgraded, asItIs),
		Entry("Clone", v1alpha1.ActionClone, newest, func(s *v1alpha1.AppInstallTaskSpec) {
			s.InstanceName, s.EnsureParameters().Title = "branch", "Branch office"
			s.Clone.From.Name = "office"
		}),
		Entry("Stop", v1alpha1.ActionStop, newest, asItIs),
		Entry("Resume", v1alpha1.ActionResume, stopped, asItIs),
		Entry("Restart", v1alpha1.ActionRestart, newest, asItIs),
		Entry("Uninstall", v1alpha1.ActionUninstall, newest, asItIs),
		Entry("Adopt", v1alpha1.ActionAdopt, byHelm, version("1.0.0")),
	)

	It("is asked for no more than the objects of the app take", func(ctx SpecContext) {
		task := t.Task(ctx, v1alpha1.ActionInstall, "office", version("1.1.0"), asPoor)
		t.fails(ctx, task, v1alpha1.ReasonPermissionDenied)
		_, role := t.remedy(ctx, task, 0)
		const followed, hook = "create delete get list patch watch", "create delete get watch"
		Expect(rightsOf(role)).To(ConsistOf(
			"secrets: create delete get list update", "pods: list", // Helm's records, and the Pods for messages
			"configmaps: "+followed, "services: "+followed, "persistentvolumeclaims: "+followed, "apps/deployments: "+followed,
			"autoscaling/horizontalpodautoscalers: list", "batch/jobs: "+hook,
			"rbac.authorization.k8s.io/roles: "+followed, "rbac.authorization.k8s.io/rolebindings: "+followed,
			"endpoints: get", // granted by the app's own Role
		))
	})

	It("has an administrator of the cluster apply what is beyond the namespace", func(ctx SpecContext) {
		name := t.Namespace + "-embassy"
		task := t.Task(ctx, v1alpha1.ActionInstall, "embassy", asPoor)
		t.fails(ctx, task, v1alpha1.ReasonPermissionDenied)
		Expect(task.Status.Preflight).To(HaveLen(2))
		Expect(task.Status.Preflight[1].Reason).To(Equal(v1alpha1.ReasonClusterPermissionRequired))
		Expect(task.Status.Preflight[1].Message).To(ContainSubstring("ClusterRole/" + name))

		By("applying what the namespace's own administrator may")
		path, _ := t.remedy(ctx, task, 0)
		kubectl(ctx, "apply", "-f", path, "--as", t.user("tenant"))
		t.eventuallyMay(ctx, authorizationv1.ResourceAttributes{Namespace: t.Namespace, Verb: "list", Resource: "pods"})
		task = t.Task(ctx, v1alpha1.ActionInstall, "embassy", asPoor)
		t.fails(ctx, task, v1alpha1.ReasonClusterPermissionRequired)
		Expect(task.Status.Preflight).To(HaveLen(1))
		Expect(t.state(ctx)).To(BeEmpty())

		By("applying the rest")
		path, role := t.remedy(ctx, task, 0)
		Expect(role.Kind).To(Equal("ClusterRole"))
		Expect(rightsOf(role)).To(ConsistOf("rbac.authorization.k8s.io/clusterroles: create",
			"rbac.authorization.k8s.io/clusterroles "+name+": delete get patch", "endpoints: get"))
		kubectl(ctx, "apply", "-f", path)
		DeferCleanup(func(ctx SpecContext) { kubectl(ctx, "delete", "-f", path) })
		t.eventuallyMay(ctx, authorizationv1.ResourceAttributes{Verb: "create", Group: rbacv1.GroupName, Resource: "clusterroles"})
		since := takeTrail()
		t.succeed(ctx, t.Task(ctx, v1alpha1.ActionInstall, "embassy", asPoor))
		t.succeed(ctx, t.Task(ctx, v1alpha1.ActionUninstall, "embassy", asPoor))
		Expect(t.refused(since)).To(HaveEach("list persistentvolumeclaims/"),
			"a removal looks for claims that its objects own, and goes on where it may not")
		Expect(slices.ContainsFunc(t.state(ctx), func(s string) bool { return strings.HasPrefix(s, "Secret/") })).To(BeFalse())
	})
})
