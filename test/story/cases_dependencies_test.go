package story_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/test/fixture"
)

// needy returns an actor chart that depends on other apps.
func needy(name string, own values, needs ...string) (string, []byte) {
	GinkgoHelper()
	options := "options:\n  dependencies:\n"
	for _, other := range needs {
		options += fmt.Sprintf("    - {name: %s, type: application, version: '>=1.0.0', mandatory: true}\n", other)
	}
	if len(needs) == 0 {
		options = ""
	}
	return name, actor(name, "1.0.0", own, appManifest(name, options))
}

func installingAll(s *v1alpha1.AppInstallTaskSpec) { s.Dependencies = v1alpha1.DependenciesInstall }

var _ = Describe("Apps that need others", Ordered, func() {
	var source *v1alpha1.MarketSource
	var t *tenant

	BeforeAll(func(ctx SpecContext) {
		repo := fixture.NewRepository()
		var all []fixture.Offer
		sell := func(name string, archive []byte) {
			repo.Handle("/"+name+".tgz", fixture.Content(archive))
			all = append(all, fixture.NewOffer(name, "1.0.0", name+".tgz", archive))
		}
		sell(needy("back", nil))
		sell(needy("middle", nil, "back"))
		sell(needy("front", nil, "middle", "back"))
		sell(needy("stuck", badly("hang", "pre-install"), "back"))
		sell(needy("top", nil, "stuck"))
		sell(needy("hen", nil, "egg"))
		sell(needy("egg", nil, "hen"))
		repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(all...)))
		source = sourceOf(ctx, namespace(ctx, "market"), "needs", repo.URL, sharedByAll, asOlares)
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
	})
	BeforeEach(func(ctx SpecContext) { t = newTenant(ctx, source) })

	// states returns the states of the instances by name.
	states := func(ctx SpecContext) map[string]transitions.State {
		GinkgoHelper()
		var list v1alpha1.AppInstanceList
		Expect(cluster.List(ctx, &list, client.InNamespace(t.Namespace))).To(Succeed())
		found := map[string]transitions.State{}
		for i := range list.Items {
			found[list.Items[i].Name] = transitions.StateOf(&list.Items[i])
		}
		return found
	}

	It("are installed with them, in order, and removed before them", func(ctx SpecContext) {
		front := t.named(ctx, "wish", v1alpha1.ActionInstall, "front", installingAll)
		t.succeed(ctx, front)
		var order []string
		for _, step := range front.Status.Subtasks {
			order = append(order, step.Instance)
		}
		Expect(order).To(Equal([]string{"back", "middle"}))
		Expect(states(ctx)).To(Equal(map[string]transitions.State{
			"back": transitions.Running, "middle": transitions.Running, "front": transitions.Running}))

		By("refusing to remove what the others need")
		said := t.fails(ctx, t.named(ctx, "remove", v1alpha1.ActionUninstall, "back"), v1alpha1.ReasonHasDependents)
		Expect(said).To(And(ContainSubstring("front"), ContainSubstring("middle")))

		By("removing all of them")
		all := t.named(ctx, "remove-all", v1alpha1.ActionUninstall, "back", func(s *v1alpha1.AppInstallTaskSpec) {
			s.Uninstall = &v1alpha1.UninstallParameters{Dependents: v1alpha1.DependentsUninstall}
		})
		t.succeed(ctx, all)
		Expect(states(ctx)).To(Equal(map[string]transitions.State{
			"back": transitions.Removed, "middle": transitions.Removed, "front": transitions.Removed}))
		Expect(t.leftovers(ctx)).To(BeEmpty())
		last := t.Instance(ctx, "front").Status.History[0].EndedAt
		for _, name := range []string{"middle", "back"} {
			next := t.Instance(ctx, name).Status.History[0].Operation.StartedAt
			Expect(next.Before(&last)).To(BeFalse(), "%s went before what needs it", name)
			last = t.Instance(ctx, name).Status.History[0].EndedAt
		}
	})

	It("take what they have brought with them when they are cancelled", func(ctx SpecContext) {
		top := t.named(ctx, "wish", v1alpha1.ActionInstall, "top", installingAll)
		Eventually(func(g Gomega) {
			got := states(ctx)
			g.Expect(got).To(HaveKeyWithValue("back", transitions.Running))
			g.Expect(got).To(HaveKeyWithValue("stuck", transitions.Installing))
		}).WithContext(ctx).Should(Succeed())
		stop := t.named(ctx, "stop", v1alpha1.ActionCancel, "top")
		t.fails(ctx, top, v1alpha1.ReasonCanceled)
		t.succeed(ctx, stop)
		Expect(states(ctx)).To(Equal(map[string]transitions.State{"back": transitions.Removed, "stuck": transitions.Removed}))
		Expect(t.leftovers(ctx)).To(BeEmpty())
	})

	It("leave what was there before them when they are cancelled", func(ctx SpecContext) {
		t.succeed(ctx, t.named(ctx, "before", v1alpha1.ActionInstall, "back"))
		top := t.named(ctx, "wish", v1alpha1.ActionInstall, "top", installingAll)
		Eventually(func() map[string]transitions.State { return states(ctx) }).WithContext(ctx).Should(HaveKey("stuck"))
		setSpec(ctx, top, func(task *v1alpha1.AppInstallTask) { yes := true; task.Spec.Cancel = &yes })
		t.fails(ctx, top, v1alpha1.ReasonCanceled)
		Expect(states(ctx)).To(HaveKeyWithValue("back", transitions.Running))
		Expect(states(ctx)["stuck"]).To(Or(Equal(transitions.Removed), Equal(transitions.None)))
	})

	It("are not begun by a task that is refused", func(ctx SpecContext) {
		t.succeed(ctx, t.named(ctx, "before", v1alpha1.ActionInstall, "back"))
		t.succeed(ctx, t.named(ctx, "middle", v1alpha1.ActionInstall, "middle"))
		t.fails(ctx, t.named(ctx, "remove", v1alpha1.ActionUninstall, "back", withDependents, func(s *v1alpha1.AppInstallTaskSpec) {
			s.ServiceAccountName = "nobody"
		}), v1alpha1.ReasonServiceAccountNotFound)
		t.fails(ctx, t.named(ctx, "wish", v1alpha1.ActionInstall, "top", installingAll, asInstance("middle")), v1alpha1.ReasonInvalidSpec)
		market.WaitIdle(ctx)
		Expect(states(ctx)).To(Equal(map[string]transitions.State{"back": transitions.Running, "middle": transitions.Running}))
		var tasks v1alpha1.AppInstallTaskList
		Expect(cluster.List(ctx, &tasks, client.InNamespace(t.Namespace), client.HasLabels{v1alpha1.ParentLabel})).To(Succeed())
		Expect(tasks.Items).To(BeEmpty())
	})

	It("are removed again when the deadline passes, if the task says so", func(ctx SpecContext) {
		t.fails(ctx, t.named(ctx, "wish", v1alpha1.ActionInstall, "top", installingAll, func(s *v1alpha1.AppInstallTaskSpec) {
			s.OnFailure, s.StartDeadline = v1alpha1.FailureRemove, "12s"
		}), v1alpha1.ReasonDeadlineExceeded)
		Expect(states(ctx)).To(HaveKeyWithValue("back", transitions.Removed))
		Expect(states(ctx)["stuck"]).To(Or(Equal(transitions.Removed), Equal(transitions.None), BeEmpty()), "it may not have been begun")
		Expect(t.leftovers(ctx)).To(BeEmpty())
	})

	It("are refused where they need each other, and all of them are named", func(ctx SpecContext) {
		task := t.named(ctx, "wish", v1alpha1.ActionInstall, "hen", installingAll)
		Expect(t.fails(ctx, task, v1alpha1.ReasonDependencyCycle)).To(ContainSubstring(`"egg", "hen"`))
		Expect(meta.IsStatusConditionFalse(task.Status.Conditions, v1alpha1.ConditionAdmitted)).To(BeTrue())
		Expect(states(ctx)).To(BeEmpty())
	})
})
