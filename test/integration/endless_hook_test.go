package integration_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// waitForHook waits until an instance waits for a hook.
func waitForHook(ctx SpecContext, t *fixture.Tenant, name string) {
	GinkgoHelper()
	instance := &v1alpha1.AppInstance{}
	instance.Namespace, instance.Name = t.Namespace, name
	Eventually(func(ctx SpecContext) string {
		return t.WaitReconciling(ctx, instance, v1alpha1.ReasonProgressing)
	}).WithContext(ctx).Should(ContainSubstring("waiting for "))
}

// expectNothingLeft waits until an instance has no objects and no Pods.
func expectNothingLeft(ctx context.Context, t *fixture.Tenant) {
	GinkgoHelper()
	Eventually(func() []string { return append(t.Leftovers(ctx), t.Names(ctx, "pods")...) }).WithContext(ctx).Should(BeEmpty())
}

var _ = Describe("An operation with a hook that does not finish", func() {
	endlessChart := func(version, events string) fixture.Chart {
		return hookedChart(version, hookJob("endless", events, "", "", neverStarts))
	}

	DescribeTable("is interrupted by an Uninstall, and no object remains", func(ctx SpecContext, events string) {
		t := newTenant(ctx)
		t.Offer(ctx, endlessChart("1.0.0", events))
		install := t.Task(ctx, v1alpha1.ActionInstall, "hooked")
		waitForHook(ctx, t, "hooked")
		t.Succeed(ctx, v1alpha1.ActionUninstall, "hooked")
		end := t.WaitEnd(ctx, install)
		Expect(end.Reason).To(Equal(v1alpha1.ReasonInterrupted), end.Message)
		expectNothingLeft(ctx, t)
	},
		Entry("with a pre-install hook", "pre-install"),
		Entry("with a post-install hook", "post-install"),
	)

	It("is interrupted by an Uninstall during an upgrade", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, hookedChart("1.0.0"), endlessChart("1.1.0", "pre-upgrade"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "hooked", fixture.Version("1.0.0"))
		upgrade := t.Task(ctx, v1alpha1.ActionUpgrade, "hooked", fixture.Version("1.1.0"))
		waitForHook(ctx, t, "hooked")
		t.Succeed(ctx, v1alpha1.ActionUninstall, "hooked")
		Expect(t.WaitEnd(ctx, upgrade).Reason).To(Equal(v1alpha1.ReasonInterrupted))
		expectNothingLeft(ctx, t)
	})

	It("is canceled, and a queued Stop fails because nothing is installed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, endlessChart("1.0.0", "post-install"))
		install := t.Task(ctx, v1alpha1.ActionInstall, "hooked")
		waitForHook(ctx, t, "hooked")
		stop := t.Task(ctx, v1alpha1.ActionStop, "hooked")
		Expect(t.WaitReconciling(ctx, stop, v1alpha1.ReasonWaitingForTurn)).To(ContainSubstring(install.Name))
		t.Succeed(ctx, v1alpha1.ActionCancel, "hooked")
		Expect(t.WaitEnd(ctx, install).Reason).To(Equal(v1alpha1.ReasonCanceled))
		Expect(t.WaitEnd(ctx, stop).Reason).To(Equal(v1alpha1.ReasonNotInstalled))
		expectNothingLeft(ctx, t)
	})

	It("is canceled during an upgrade, and the previous version is restored", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, hookedChart("1.0.0"), endlessChart("1.1.0", "post-upgrade"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "hooked", fixture.Version("1.0.0"))
		upgrade := t.Task(ctx, v1alpha1.ActionUpgrade, "hooked", fixture.Version("1.1.0"))
		waitForHook(ctx, t, "hooked")
		t.Succeed(ctx, v1alpha1.ActionCancel, "hooked")
		Expect(t.WaitEnd(ctx, upgrade).Reason).To(Equal(v1alpha1.ReasonCanceled))
		t.WaitTrue(ctx, t.Instance(ctx, "hooked"), v1alpha1.ConditionReady)
		Expect(t.Instance(ctx, "hooked").Status.Version).To(Equal("1.0.0"))
		Eventually(func() []string { return append(t.Names(ctx, "jobs"), t.Names(ctx, "pods")...) }).WithContext(ctx).Should(BeEmpty())
	})

	It("is removed after the operator was killed", Serial, func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, endlessChart("1.0.0", "post-install"))
		install := t.Task(ctx, v1alpha1.ActionInstall, "hooked")
		waitForHook(ctx, t, "hooked")
		operator.Kill()
		operator.Start()
		t.Succeed(ctx, v1alpha1.ActionUninstall, "hooked")
		Expect(t.WaitEnd(ctx, install).Reason).To(Equal(v1alpha1.ReasonInterrupted))
		expectNothingLeft(ctx, t)
	})

	It("is not started again after three interruptions, until a task requests it", Serial, func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, endlessChart("1.0.0", "pre-install"))
		install := t.Task(ctx, v1alpha1.ActionInstall, "hooked")
		interruptions := func() int32 {
			history := t.Instance(ctx, "hooked").Status.History
			if len(history) == 0 || history[0].Outcome != v1alpha1.OutcomeInterrupted {
				return 0
			}
			return history[0].Operation.Interruptions
		}
		waitForHook(ctx, t, "hooked")
		for i := range int32(3) {
			Eventually(func() *v1alpha1.Operation { return t.Instance(ctx, "hooked").Status.CurrentOperation }).WithContext(ctx).ShouldNot(BeNil())
			operator.Kill()
			operator.Start()
			Eventually(interruptions).WithContext(ctx).Should(Equal(i + 1))
		}
		end := t.WaitEnd(ctx, install)
		Expect(end.Reason).To(Equal(v1alpha1.ReasonInterrupted), end.Message)
		t.WaitStalled(ctx, t.Instance(ctx, "hooked"), v1alpha1.ReasonInterrupted)
		t.Task(ctx, v1alpha1.ActionInstall, "hooked")
		waitForHook(ctx, t, "hooked")
		t.Succeed(ctx, v1alpha1.ActionUninstall, "hooked")
		expectNothingLeft(ctx, t)
	})
})
