package story_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
)

// sharedPlace creates the namespace of a shared chart, with a tenant that can install the chart
// there. Several tests use the same namespace.
func sharedPlace(ctx context.Context, source *v1alpha1.MarketSource, unit string) *tenant {
	GinkgoHelper()
	name := unit + "-shared"
	err := cluster.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{v1alpha1.SharedPartsLabel: "true"}}})
	Expect(client.IgnoreAlreadyExists(err)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(cluster.DeleteAllOf(ctx, &v1alpha1.AppInstance{}, client.InNamespace(name))).To(Succeed())
		Expect(cluster.DeleteAllOf(ctx, &v1alpha1.AppInstallTask{}, client.InNamespace(name))).To(Succeed())
	})
	return tenantIn(ctx, source, name)
}

// releases returns the chart units of an instance.
func (t *tenant) releases(ctx context.Context, name string) []string {
	GinkgoHelper()
	var units []string
	for _, r := range t.Instance(ctx, name).Status.Releases {
		units = append(units, r.Unit)
	}
	return units
}

// withDependents uninstalls the dependents of the instance and the shared charts of its app.
func withDependents(s *v1alpha1.AppInstallTaskSpec) {
	s.Uninstall = &v1alpha1.UninstallParameters{Dependents: v1alpha1.DependentsUninstall, SharedCharts: v1alpha1.SharedChartsRemoveIfUnused}
}

var _ = Describe("An app with a part that serves the whole cluster", Ordered, func() {
	const place = "teamserver-shared"
	var source *v1alpha1.MarketSource
	var keeper, anna, ben *tenant

	BeforeAll(func(ctx SpecContext) {
		source = sampleSource(ctx, namespace(ctx, "market"))
		keeper = sharedPlace(ctx, source, "teamserver")
		anna, ben = newTenant(ctx, source), newTenant(ctx, source)
	})

	It("waits for that part, and says what an administrator has to apply", func(ctx SpecContext) {
		task := anna.Task(ctx, v1alpha1.ActionInstall, "team")
		anna.waits(ctx, task, v1alpha1.ReasonWaitingForDependency)
		Expect(task.Status.Preflight).To(HaveLen(1))
		Expect(task.Status.Preflight[0].Message).To(ContainSubstring(fmt.Sprintf(`shared chart "teamserver" to be running in namespace %q`, place)))

		By("applying it, with the rights of the namespace's own administrator")
		Expect(cluster.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: place, Name: "default"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: place, Name: "default"}},
		})).To(Succeed())
		kubectl(ctx, "apply", "-f", written(task.Status.Preflight[0].Remedy))
		anna.succeed(ctx, task)
		Expect(keeper.releases(ctx, "team")).To(Equal([]string{"teamserver"}))
		Expect(keeper.Instance(ctx, "team").Status.Entrances).To(BeEmpty(), "people enter by the clients")
		Expect(anna.releases(ctx, "team")).To(Equal([]string{"team"}))
		Expect(anna.Instance(ctx, "team").Status.Entrances).NotTo(BeEmpty())
	})

	It("gives everybody a part of their own beside it", func(ctx SpecContext) {
		ben.succeed(ctx, ben.Task(ctx, v1alpha1.ActionInstall, "team"))
		Expect(ben.releases(ctx, "team")).To(Equal([]string{"team"}))
		ben.succeed(ctx, ben.Task(ctx, v1alpha1.ActionStop, "team"))
		Expect(keeper.stateOf(ctx, "team")).To(Equal(transitions.Running))
		ben.succeed(ctx, ben.Task(ctx, v1alpha1.ActionResume, "team"))
	})

	It("keeps that part while it is needed", func(ctx SpecContext) {
		said := keeper.fails(ctx, keeper.Task(ctx, v1alpha1.ActionUninstall, "team"), v1alpha1.ReasonHasDependents)
		Expect(said).To(And(ContainSubstring(anna.Namespace+"/team"), ContainSubstring(ben.Namespace+"/team")))
		first := anna.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents)
		said = anna.fails(ctx, first, v1alpha1.ReasonPermissionDenied)
		Expect(said).To(ContainSubstring(fmt.Sprintf(`service account "tenant" cannot uninstall instance "team" in namespace %q`, place)))
		Expect(said).NotTo(ContainSubstring(ben.Namespace), "who may do nothing there is not told who is there")
		kubectl(ctx, "apply", "-f", written(first.Status.Preflight[0].Remedy))
		said = anna.fails(ctx, anna.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents), v1alpha1.ReasonHasDependents)
		Expect(said).To(And(ContainSubstring(ben.Namespace+"/team"), Not(ContainSubstring(anna.Namespace+"/team"))))
		Expect(anna.stateOf(ctx, "team")).To(Equal(transitions.Running), "nothing was begun")
		Expect(keeper.stateOf(ctx, "team")).To(Equal(transitions.Running))

		By("removing one's own part alone")
		ben.succeed(ctx, ben.Task(ctx, v1alpha1.ActionUninstall, "team"))
		Expect(keeper.stateOf(ctx, "team")).To(Equal(transitions.Running))
	})

	It("is removed whole by those who may do that", func(ctx SpecContext) {
		again := anna.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents)
		anna.succeed(ctx, again)
		Expect(again.Status.Subtasks).To(HaveLen(1))
		Expect(again.Status.Subtasks[0].Namespace).To(Equal(place))
		for _, t := range []*tenant{anna, keeper} {
			Expect(t.stateOf(ctx, "team")).To(Equal(transitions.Removed))
			Expect(t.leftovers(ctx)).To(BeEmpty())
		}
	})

	It("is removed from below by those who may do that", func(ctx SpecContext) {
		keeper.succeed(ctx, keeper.Task(ctx, v1alpha1.ActionInstall, "team"))
		for _, t := range []*tenant{anna, ben} {
			t.succeed(ctx, t.Task(ctx, v1alpha1.ActionInstall, "team"))
		}
		first := keeper.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents)
		keeper.fails(ctx, first, v1alpha1.ReasonPermissionDenied)
		kubectl(ctx, "apply", "-f", written(first.Status.Preflight[0].Remedy))
		second := keeper.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents)
		keeper.fails(ctx, second, v1alpha1.ReasonPermissionDenied)
		for _, t := range []*tenant{anna, ben} {
			Expect(t.stateOf(ctx, "team")).To(Equal(transitions.Running), "nothing was begun for one while the other was refused")
		}
		kubectl(ctx, "apply", "-f", written(second.Status.Preflight[0].Remedy))
		keeper.succeed(ctx, keeper.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents))
		for _, t := range []*tenant{anna, ben, keeper} {
			Expect(t.stateOf(ctx, "team")).To(Equal(transitions.Removed))
			Expect(t.leftovers(ctx)).To(BeEmpty())
		}
	})

	It("is not that of a namespace that no administrator of the cluster has labeled", func(ctx SpecContext) {
		keeper.succeed(ctx, keeper.Task(ctx, v1alpha1.ActionInstall, "team"))
		kubectl(ctx, "label", "namespace", place, v1alpha1.SharedPartsLabel+"-")
		task := ben.Task(ctx, v1alpha1.ActionInstall, "team")
		ben.waits(ctx, task, v1alpha1.ReasonWaitingForDependency)
		Expect(task.Status.Preflight).To(HaveLen(1))
		Expect(task.Status.Preflight[0].Message).To(ContainSubstring("which does not have the label appmarket.io/shared-parts=true; a cluster administrator must check who has access to the namespace"))
		kubectl(ctx, "apply", "-f", written(task.Status.Preflight[0].Remedy))
		ben.succeed(ctx, task)

		By("telling its owner who uses it only while it has the label")
		keeper.fails(ctx, keeper.Task(ctx, v1alpha1.ActionUninstall, "team"), v1alpha1.ReasonHasDependents)
		kubectl(ctx, "label", "namespace", place, v1alpha1.SharedPartsLabel+"-")
		keeper.succeed(ctx, keeper.Task(ctx, v1alpha1.ActionUninstall, "team"))
		ben.succeed(ctx, ben.Task(ctx, v1alpha1.ActionUninstall, "team"))
	})
})
