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

// recreateTask deletes a task and creates it again with the given changes.
func (t *tenant) recreateTask(ctx context.Context, task *v1alpha1.AppInstallTask, change ...func(*v1alpha1.AppInstallTaskSpec)) *v1alpha1.AppInstallTask {
	GinkgoHelper()
	Expect(k8sClient.Delete(ctx, task)).To(Succeed())
	same := &v1alpha1.AppInstallTask{ObjectMeta: metav1.ObjectMeta{Namespace: task.Namespace, Name: task.Name}, Spec: task.Spec}
	for _, c := range change {
		c(&same.Spec)
	}
	Eventually(func() error { return k8sClient.Create(ctx, same.DeepCopy()) }).WithContext(ctx).Should(Succeed())
	return same
}

func withRunID(id string) func(*v1alpha1.AppInstallTaskSpec) {
	return func(s *v1alpha1.AppInstallTaskSpec) { s.RunID = id }
}

func withInstanceName(name string) func(*v1alpha1.AppInstallTaskSpec) {
	return func(s *v1alpha1.AppInstallTaskSpec) { s.InstanceName = name }
}

// snapshot returns a snapshot of the Helm releases, the Deployments and the instances, which differs
// after every write.
func (t *tenant) snapshot(ctx context.Context) []string {
	GinkgoHelper()
	var found []string
	var records corev1.SecretList
	Expect(k8sClient.List(ctx, &records, client.InNamespace(t.Namespace), client.MatchingLabels{"owner": "helm"})).To(Succeed())
	for _, r := range records.Items {
		found = append(found, r.Name+" at "+r.ResourceVersion)
	}
	for _, d := range t.deployments(ctx) {
		found = append(found, fmt.Sprintf("%s of generation %d", d.Name, d.Generation))
	}
	var instances v1alpha1.AppInstanceList
	Expect(k8sClient.List(ctx, &instances, client.InNamespace(t.Namespace))).To(Succeed())
	for _, i := range instances.Items {
		found = append(found, fmt.Sprintf("%s of generation %d, %d operations", i.Name, i.Generation, len(i.Status.History)))
	}
	return found
}

func (t *tenant) instanceState(ctx context.Context, name string) transitions.State {
	GinkgoHelper()
	return transitions.StateOf(t.Instance(ctx, name))
}

var _ = Describe("A task that is created again", Ordered, func() {
	var env *environment
	var t *tenant
	BeforeAll(func(ctx SpecContext) { env = newEnvironment(ctx) })
	BeforeEach(func(ctx SpecContext) { t = newTenant(ctx, env.source) })

	It("succeeds immediately without an operation", func(ctx SpecContext) {
		install := t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "actor", withVersion(older))
		t.waitSucceeded(ctx, install)
		upgrade := t.NamedTask(ctx, "upgrade", v1alpha1.ActionUpgrade, "actor", withVersion(newer))
		t.waitSucceeded(ctx, upgrade)
		before := t.snapshot(ctx)
		for _, task := range []*v1alpha1.AppInstallTask{install, upgrade} {
			t.waitSucceeded(ctx, t.recreateTask(ctx, task))
		}
		defaultOperator.WaitIdle(ctx)
		Expect(t.snapshot(ctx)).To(Equal(before))
	})

	It("does not uninstall a later installation, unless it has another runID", func(ctx SpecContext) {
		t.waitSucceeded(ctx, t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "actor"))
		removal := t.NamedTask(ctx, "remove", v1alpha1.ActionUninstall, "actor")
		t.waitSucceeded(ctx, removal)
		t.waitSucceeded(ctx, t.NamedTask(ctx, "install-again", v1alpha1.ActionInstall, "actor"))
		before := t.snapshot(ctx)
		removal = t.recreateTask(ctx, removal)
		t.waitFailed(ctx, removal, v1alpha1.ReasonSuperseded)
		defaultOperator.WaitIdle(ctx)
		Expect(t.snapshot(ctx)).To(Equal(before))

		By("setting another runID")
		t.waitSucceeded(ctx, t.recreateTask(ctx, removal, withRunID("2")))
		Expect(t.instanceState(ctx, "actor")).To(Equal(transitions.Uninstalled))
		Expect(t.listLeftovers(ctx)).To(BeEmpty())
	})

	It("does not clone again after the clone was uninstalled, unless it has another runID", func(ctx SpecContext) {
		t.waitSucceeded(ctx, t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "actor"))
		clone := t.NamedTask(ctx, "clone", v1alpha1.ActionClone, "actor", withInstanceName("copy"), func(s *v1alpha1.AppInstallTaskSpec) {
			s.EnsureParameters().Title = "The copy"
			s.Clone.From.Name = "actor"
		})
		t.waitSucceeded(ctx, clone)
		t.waitSucceeded(ctx, t.NamedTask(ctx, "remove", v1alpha1.ActionUninstall, "actor", withInstanceName("copy")))
		before := t.snapshot(ctx)
		clone = t.recreateTask(ctx, clone)
		t.waitFailed(ctx, clone, v1alpha1.ReasonSuperseded)
		defaultOperator.WaitIdle(ctx)
		Expect(t.snapshot(ctx)).To(Equal(before))

		By("setting another runID")
		t.waitSucceeded(ctx, t.recreateTask(ctx, clone, withRunID("2")))
		Expect(t.instanceState(ctx, "copy")).To(Equal(transitions.Running))
	})

	It("is deleted after ttlSecondsAfterFinished", func(ctx SpecContext) {
		task := t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "actor", func(s *v1alpha1.AppInstallTaskSpec) {
			shortest := int32(60)
			s.TTLSecondsAfterFinished = &shortest
		})
		t.waitSucceeded(ctx, task)
		Eventually(func() error { return k8sClient.Get(ctx, client.ObjectKeyFromObject(task), task) }).WithContext(ctx).
			WithTimeout(90 * time.Second).Should(Satisfy(apierrors.IsNotFound))
		Expect(t.instanceState(ctx, "actor")).To(Equal(transitions.Running))
	})

	It("does not cancel a later task, unless it has another runID", func(ctx SpecContext) {
		held := func(s *v1alpha1.AppInstallTaskSpec) { yes := true; s.Suspend = &yes }
		first := t.NamedTask(ctx, "first", v1alpha1.ActionInstall, "actor", held)
		stop := t.NamedTask(ctx, "stop", v1alpha1.ActionCancel, "actor")
		t.waitSucceeded(ctx, stop)
		t.waitFailed(ctx, first, v1alpha1.ReasonCanceled)
		second := t.NamedTask(ctx, "second", v1alpha1.ActionInstall, "actor", held)
		t.waitReconciling(ctx, second, v1alpha1.ReasonSuspended)
		stop = t.recreateTask(ctx, stop)
		t.waitSucceeded(ctx, stop)
		defaultOperator.WaitIdle(ctx)
		t.waitReconciling(ctx, second, v1alpha1.ReasonSuspended)

		By("setting another runID")
		t.waitSucceeded(ctx, t.recreateTask(ctx, stop, withRunID("2")))
		t.waitFailed(ctx, second, v1alpha1.ReasonCanceled)
	})
})

var _ = Describe("A task with the action Cancel", func() {
	It("takes effect immediately while many apps are being installed", func(ctx SpecContext) {
		env := newEnvironment(ctx)
		t := newTenant(ctx, env.source)
		hanging := t.NamedTask(ctx, "hanging", v1alpha1.ActionInstall, "actor", func(s *v1alpha1.AppInstallTaskSpec) {
			s.EnsureParameters().Values = hookValues("hang", "pre-install").toRaw()
		})
		Eventually(func() []string { return env.createdHooks(t.Namespace) }).WithContext(ctx).Should(HaveLen(1))
		var others []*v1alpha1.AppInstallTask
		for i := range 20 {
			name := fmt.Sprintf("other-%d", i)
			others = append(others, t.NamedTask(ctx, name, v1alpha1.ActionInstall, "actor", withInstanceName(name)))
		}
		Eventually(func() []string { return env.createdHooks(t.Namespace) }).WithContext(ctx).ShouldNot(HaveLen(1), "one of the other installations has started")
		started := time.Now()
		stop := t.NamedTask(ctx, "cancel", v1alpha1.ActionCancel, "actor")
		Eventually(func(g Gomega) {
			g.Expect(env.cache.Get(ctx, client.ObjectKeyFromObject(hanging), hanging)).To(Succeed())
			g.Expect(hanging.Status.Reverting != nil || hanging.Finished()).To(BeTrue())
		}).WithContext(ctx).WithPolling(time.Millisecond).Should(Succeed())
		reverting := time.Since(started)
		t.waitFailed(ctx, hanging, v1alpha1.ReasonCanceled)
		AddReportEntry("Time to cancel an installation during 20 others", ReportEntryVisibilityAlways,
			fmt.Sprintf("reverting after %d ms, reverted after %d ms", reverting.Milliseconds(), time.Since(started).Milliseconds()))
		t.waitSucceeded(ctx, stop)
		Expect(t.instanceState(ctx, "actor")).To(Equal(transitions.Uninstalled))
		for _, task := range others {
			t.waitSucceeded(ctx, task)
		}
	})
})
