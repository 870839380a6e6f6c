package story_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/test/fixture"
)

// dependentActor returns an actor chart that depends on other apps.
func dependentActor(name string, overrides values, needs ...string) (string, []byte) {
	GinkgoHelper()
	return name, actorChart(name, "1.0.0", overrides, appManifest(name, "", needs...))
}

func installDependencies(s *v1alpha1.AppInstallTaskSpec) {
	s.Dependencies = v1alpha1.DependenciesInstall
}

var _ = Describe("Apps with dependencies", Ordered, func() {
	var source *v1alpha1.MarketSource
	var t *tenant

	BeforeAll(func(ctx SpecContext) {
		repo := fixture.NewRepository()
		offer := func(name string, archive []byte) { repo.AddArchive(name, "1.0.0", archive) }
		offer(dependentActor("back", nil))
		offer(dependentActor("middle", nil, "back"))
		offer(dependentActor("front", nil, "middle", "back"))
		offer(dependentActor("stuck", hookValues("hang", "pre-install"), "back"))
		offer(dependentActor("top", nil, "stuck"))
		offer(dependentActor("hen", nil, "egg"))
		offer(dependentActor("egg", nil, "hen"))
		source = cluster.CreateSource(ctx, createNamespace(ctx, "market"), "needs", repo.URL, fixture.ShareWithAll, fixture.AsOlares)
		waitTrue(ctx, source, v1alpha1.ConditionReady)
	})
	BeforeEach(func(ctx SpecContext) { t = newTenant(ctx, source) })

	// instanceStates returns the states of the instances by name.
	instanceStates := func(ctx SpecContext) map[string]transitions.State {
		GinkgoHelper()
		var list v1alpha1.AppInstanceList
		Expect(k8sClient.List(ctx, &list, client.InNamespace(t.Namespace))).To(Succeed())
		found := map[string]transitions.State{}
		for i := range list.Items {
			found[list.Items[i].Name] = transitions.StateOf(&list.Items[i])
		}
		return found
	}

	It("are installed after their dependencies, and uninstalled before them", func(ctx SpecContext) {
		front := t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "front", installDependencies)
		t.waitSucceeded(ctx, front)
		var order []string
		for _, step := range front.Status.Subtasks {
			order = append(order, step.Instance)
		}
		Expect(order).To(Equal([]string{"back", "middle"}))
		Expect(instanceStates(ctx)).To(Equal(map[string]transitions.State{
			"back": transitions.Running, "middle": transitions.Running, "front": transitions.Running}))

		By("rejecting the removal of a dependency")
		message := t.waitFailed(ctx, t.NamedTask(ctx, "remove", v1alpha1.ActionUninstall, "back"), v1alpha1.ReasonHasDependents)
		Expect(message).To(And(ContainSubstring("front"), ContainSubstring("middle")))

		By("uninstalling the dependents too")
		all := t.NamedTask(ctx, "remove-all", v1alpha1.ActionUninstall, "back", func(s *v1alpha1.AppInstallTaskSpec) {
			s.Uninstall = &v1alpha1.UninstallParameters{Dependents: v1alpha1.DependentsUninstall}
		})
		t.waitSucceeded(ctx, all)
		Expect(instanceStates(ctx)).To(Equal(map[string]transitions.State{
			"back": transitions.Uninstalled, "middle": transitions.Uninstalled, "front": transitions.Uninstalled}))
		Expect(t.listLeftovers(ctx)).To(BeEmpty())
		last := t.Instance(ctx, "front").Status.History[0].EndedAt
		for _, name := range []string{"middle", "back"} {
			next := t.Instance(ctx, name).Status.History[0].Operation.StartedAt
			Expect(next.Before(&last)).To(BeFalse(), "%s is removed after its dependents", name)
			last = t.Instance(ctx, name).Status.History[0].EndedAt
		}
	})

	It("are canceled with the dependencies that they installed", func(ctx SpecContext) {
		top := t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "top", installDependencies)
		Eventually(func(g Gomega) {
			got := instanceStates(ctx)
			g.Expect(got).To(HaveKeyWithValue("back", transitions.Running))
			g.Expect(got).To(HaveKeyWithValue("stuck", transitions.Installing))
		}).WithContext(ctx).Should(Succeed())
		stop := t.NamedTask(ctx, "stop", v1alpha1.ActionCancel, "top")
		t.waitFailed(ctx, top, v1alpha1.ReasonCanceled)
		t.waitSucceeded(ctx, stop)
		Expect(instanceStates(ctx)).To(Equal(map[string]transitions.State{"back": transitions.Uninstalled, "stuck": transitions.Uninstalled}))
		Expect(t.listLeftovers(ctx)).To(BeEmpty())
	})

	It("are canceled without the dependencies that were installed before", func(ctx SpecContext) {
		t.waitSucceeded(ctx, t.NamedTask(ctx, "before", v1alpha1.ActionInstall, "back"))
		top := t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "top", installDependencies)
		Eventually(func() map[string]transitions.State { return instanceStates(ctx) }).WithContext(ctx).Should(HaveKey("stuck"))
		patchSpec(ctx, top, func(task *v1alpha1.AppInstallTask) { yes := true; task.Spec.Cancel = &yes })
		t.waitFailed(ctx, top, v1alpha1.ReasonCanceled)
		Expect(instanceStates(ctx)).To(HaveKeyWithValue("back", transitions.Running))
		Expect(instanceStates(ctx)["stuck"]).To(Or(Equal(transitions.Uninstalled), Equal(transitions.None)))
	})

	It("are not changed by a task that is rejected", func(ctx SpecContext) {
		t.waitSucceeded(ctx, t.NamedTask(ctx, "before", v1alpha1.ActionInstall, "back"))
		t.waitSucceeded(ctx, t.NamedTask(ctx, "middle", v1alpha1.ActionInstall, "middle"))
		t.waitFailed(ctx, t.NamedTask(ctx, "remove", v1alpha1.ActionUninstall, "back", withDependents, func(s *v1alpha1.AppInstallTaskSpec) {
			s.ServiceAccountName = "absent"
		}), v1alpha1.ReasonServiceAccountNotFound)
		t.waitFailed(ctx, t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "top", installDependencies, withInstanceName("middle")), v1alpha1.ReasonInvalidSpec)
		defaultOperator.WaitIdle(ctx)
		Expect(instanceStates(ctx)).To(Equal(map[string]transitions.State{"back": transitions.Running, "middle": transitions.Running}))
		var tasks v1alpha1.AppInstallTaskList
		Expect(k8sClient.List(ctx, &tasks, client.InNamespace(t.Namespace), client.HasLabels{v1alpha1.ParentLabel})).To(Succeed())
		Expect(tasks.Items).To(BeEmpty())
	})

	It("are uninstalled after the start deadline if onFailure is Remove", func(ctx SpecContext) {
		t.waitFailed(ctx, t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "top", installDependencies, func(s *v1alpha1.AppInstallTaskSpec) {
			s.OnFailure, s.StartDeadline = v1alpha1.FailureRemove, "12s"
		}), v1alpha1.ReasonDeadlineExceeded)
		Expect(instanceStates(ctx)).To(HaveKeyWithValue("back", transitions.Uninstalled))
		Expect(instanceStates(ctx)["stuck"]).To(Or(Equal(transitions.Uninstalled), Equal(transitions.None), BeEmpty()), "the installation may not have started")
		Expect(t.listLeftovers(ctx)).To(BeEmpty())
	})

	It("are rejected if they form a cycle, with all apps of the cycle", func(ctx SpecContext) {
		task := t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "hen", installDependencies)
		Expect(t.waitFailed(ctx, task, v1alpha1.ReasonDependencyCycle)).To(ContainSubstring(`"egg", "hen"`))
		Expect(meta.IsStatusConditionFalse(task.Status.Conditions, v1alpha1.ConditionAdmitted)).To(BeTrue())
		Expect(instanceStates(ctx)).To(BeEmpty())
	})
})
