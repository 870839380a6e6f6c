package story_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
)

// named creates a task with the given name.
func (t *tenant) named(ctx context.Context, name string, action v1alpha1.Action, app string, change ...func(*v1alpha1.AppInstallTaskSpec)) *v1alpha1.AppInstallTask {
	GinkgoHelper()
	task := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: name},
		Spec: v1alpha1.AppInstallTaskSpec{
			Action: action, ServiceAccountName: "tenant",
			AppRef: v1alpha1.AppReference{Source: t.Source.Name, Namespace: t.Source.Namespace, Name: app},
		},
	}
	for _, c := range change {
		c(&task.Spec)
	}
	Expect(cluster.Create(ctx, task)).To(Succeed())
	return task
}

// again deletes a task and creates it again with the given changes.
func (t *tenant) again(ctx context.Context, task *v1alpha1.AppInstallTask, change ...func(*v1alpha1.AppInstallTaskSpec)) *v1alpha1.AppInstallTask {
	GinkgoHelper()
	Expect(cluster.Delete(ctx, task)).To(Succeed())
	same := &v1alpha1.AppInstallTask{ObjectMeta: metav1.ObjectMeta{Namespace: task.Namespace, Name: task.Name}, Spec: task.Spec}
	for _, c := range change {
		c(&same.Spec)
	}
	Eventually(func() error { return cluster.Create(ctx, same.DeepCopy()) }).WithContext(ctx).Should(Succeed())
	return same
}

func runID(id string) func(*v1alpha1.AppInstallTaskSpec) {
	return func(s *v1alpha1.AppInstallTaskSpec) { s.RunID = id }
}

func asInstance(name string) func(*v1alpha1.AppInstallTaskSpec) {
	return func(s *v1alpha1.AppInstallTaskSpec) { s.InstanceName = name }
}

// stands returns a snapshot of the Helm releases, the Deployments and the instances, which differs
// after every write.
func (t *tenant) stands(ctx context.Context) []string {
	GinkgoHelper()
	var found []string
	var records corev1.SecretList
	Expect(cluster.List(ctx, &records, client.InNamespace(t.Namespace), client.MatchingLabels{"owner": "helm"})).To(Succeed())
	for _, r := range records.Items {
		found = append(found, r.Name+" at "+r.ResourceVersion)
	}
	for _, d := range t.workloads(ctx) {
		found = append(found, fmt.Sprintf("%s of generation %d", d.Name, d.Generation))
	}
	var instances v1alpha1.AppInstanceList
	Expect(cluster.List(ctx, &instances, client.InNamespace(t.Namespace))).To(Succeed())
	for _, i := range instances.Items {
		found = append(found, fmt.Sprintf("%s of generation %d, %d operations", i.Name, i.Generation, len(i.Status.History)))
	}
	return found
}

func (t *tenant) stateOf(ctx context.Context, name string) transitions.State {
	GinkgoHelper()
	return transitions.StateOf(t.Instance(ctx, name))
}

var _ = Describe("A task that is applied again", Ordered, func() {
	var on *stage
	var t *tenant
	BeforeAll(func(ctx SpecContext) { on = newStage(ctx) })
	BeforeEach(func(ctx SpecContext) { t = newTenant(ctx, on.source) })

	It("ends well at once, and nothing is done", func(ctx SpecContext) {
		install := t.named(ctx, "install", v1alpha1.ActionInstall, "actor", version(older))
		t.succeed(ctx, install)
		upgrade := t.named(ctx, "upgrade", v1alpha1.ActionUpgrade, "actor", version(newer))
		t.succeed(ctx, upgrade)
		before := t.stands(ctx)
		for _, task := range []*v1alpha1.AppInstallTask{install, upgrade} {
			t.succeed(ctx, t.again(ctx, task))
		}
		market.WaitIdle(ctx)
		Expect(t.stands(ctx)).To(Equal(before))
	})

	It("removes nothing that was installed since, unless it is another run", func(ctx SpecContext) {
		t.succeed(ctx, t.named(ctx, "install", v1alpha1.ActionInstall, "actor"))
		removal := t.named(ctx, "remove", v1alpha1.ActionUninstall, "actor")
		t.succeed(ctx, removal)
		t.succeed(ctx, t.named(ctx, "install-again", v1alpha1.ActionInstall, "actor"))
		before := t.stands(ctx)
		removal = t.again(ctx, removal)
		t.fails(ctx, removal, v1alpha1.ReasonSuperseded)
		market.WaitIdle(ctx)
		Expect(t.stands(ctx)).To(Equal(before))

		By("giving it another run")
		t.succeed(ctx, t.again(ctx, removal, runID("2")))
		Expect(t.stateOf(ctx, "actor")).To(Equal(transitions.Uninstalled))
		Expect(t.leftovers(ctx)).To(BeEmpty())
	})

	It("makes no second copy of what was removed since, unless it is another run", func(ctx SpecContext) {
		t.succeed(ctx, t.named(ctx, "install", v1alpha1.ActionInstall, "actor"))
		clone := t.named(ctx, "clone", v1alpha1.ActionClone, "actor", asInstance("copy"), func(s *v1alpha1.AppInstallTaskSpec) {
			s.EnsureParameters().Title = "The copy"
			s.Clone.From.Name = "actor"
		})
		t.succeed(ctx, clone)
		t.succeed(ctx, t.named(ctx, "remove", v1alpha1.ActionUninstall, "actor", asInstance("copy")))
		before := t.stands(ctx)
		clone = t.again(ctx, clone)
		t.fails(ctx, clone, v1alpha1.ReasonSuperseded)
		market.WaitIdle(ctx)
		Expect(t.stands(ctx)).To(Equal(before))

		By("giving it another run")
		t.succeed(ctx, t.again(ctx, clone, runID("2")))
		Expect(t.stateOf(ctx, "copy")).To(Equal(transitions.Running))
	})

	It("goes after a while, if it is to", func(ctx SpecContext) {
		task := t.named(ctx, "install", v1alpha1.ActionInstall, "actor", func(s *v1alpha1.AppInstallTaskSpec) {
			shortest := int32(60)
			s.TTLSecondsAfterFinished = &shortest
		})
		t.succeed(ctx, task)
		Eventually(func() error { return cluster.Get(ctx, client.ObjectKeyFromObject(task), task) }).WithContext(ctx).
			WithTimeout(90 * time.Second).Should(Satisfy(apierrors.IsNotFound))
		Expect(t.stateOf(ctx, "actor")).To(Equal(transitions.Running))
	})

	It("cancels nothing that was begun since, unless it is another run", func(ctx SpecContext) {
		held := func(s *v1alpha1.AppInstallTaskSpec) { yes := true; s.Suspend = &yes }
		first := t.named(ctx, "first", v1alpha1.ActionInstall, "actor", held)
		stop := t.named(ctx, "stop", v1alpha1.ActionCancel, "actor")
		t.succeed(ctx, stop)
		t.fails(ctx, first, v1alpha1.ReasonCanceled)
		second := t.named(ctx, "second", v1alpha1.ActionInstall, "actor", held)
		t.waits(ctx, second, v1alpha1.ReasonSuspended)
		stop = t.again(ctx, stop)
		t.succeed(ctx, stop)
		market.WaitIdle(ctx)
		t.waits(ctx, second, v1alpha1.ReasonSuspended)

		By("giving it another run")
		t.succeed(ctx, t.again(ctx, stop, runID("2")))
		t.fails(ctx, second, v1alpha1.ReasonCanceled)
	})
})

var _ = Describe("A task that cancels", func() {
	It("is heard at once while many apps are being installed", func(ctx SpecContext) {
		on := newStage(ctx)
		t := newTenant(ctx, on.source)
		hanging := t.named(ctx, "hanging", v1alpha1.ActionInstall, "actor", func(s *v1alpha1.AppInstallTaskSpec) {
			s.EnsureParameters().Values = badly("hang", "pre-install").raw()
		})
		Eventually(func() []string { return on.hooks(t.Namespace) }).WithContext(ctx).Should(HaveLen(1))
		var others []*v1alpha1.AppInstallTask
		for i := range 20 {
			name := fmt.Sprintf("other-%d", i)
			others = append(others, t.named(ctx, name, v1alpha1.ActionInstall, "actor", asInstance(name)))
		}
		Eventually(func() []string { return on.hooks(t.Namespace) }).WithContext(ctx).ShouldNot(HaveLen(1), "none of the others has begun")
		begun := time.Now()
		stop := t.named(ctx, "stop-it", v1alpha1.ActionCancel, "actor")
		Eventually(func(g Gomega) {
			g.Expect(on.seen.Get(ctx, client.ObjectKeyFromObject(hanging), hanging)).To(Succeed())
			g.Expect(hanging.Status.Reverting != nil || hanging.Finished()).To(BeTrue())
		}).WithContext(ctx).WithPolling(time.Millisecond).Should(Succeed())
		heard := time.Since(begun)
		t.fails(ctx, hanging, v1alpha1.ReasonCanceled)
		AddReportEntry("Time to heed a Cancel beside 20 installations", ReportEntryVisibilityAlways,
			fmt.Sprintf("heeded after %d ms, taken back after %d ms", heard.Milliseconds(), time.Since(begun).Milliseconds()))
		t.succeed(ctx, stop)
		Expect(t.stateOf(ctx, "actor")).To(Equal(transitions.Uninstalled))
		for _, task := range others {
			t.succeed(ctx, task)
		}
	})
})
