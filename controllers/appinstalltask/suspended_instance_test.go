package appinstalltask_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A task of a suspended instance", func() {
	var b *taskFixture
	suspend := func(is *bool) {
		GinkgoHelper()
		i := b.currentInstance()
		before := client.MergeFrom(i.DeepCopy())
		i.Spec.Suspend = is
		Expect(server.Client.Patch(b.ctx, i, before)).To(Succeed())
	}
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.installVersion("1.0.0")
		b.PublishVersion("1.1.0", filesWithoutInputs())
		suspend(new(true))
	})

	DescribeTable("waits until the instance is not suspended any more", func(action v1alpha1.Action) {
		b.createTask("task", action, func(t *v1alpha1.AppInstallTask) { t.Spec.OnUnmetRequirement = v1alpha1.UnmetRequirementFail })
		b.expectWaiting(v1alpha1.ReasonSuspended)
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(Equal(
			`instance "web" is suspended: set spec.suspend of the AppInstance to false`))
		Expect(b.task.Status.QueuePosition).To(BeZero())
		suspend(nil)
		b.setInstanceReady("1.0.0")
		b.expectStarted()
	},
		Entry("to upgrade it", v1alpha1.ActionUpgrade),
		Entry("to configure it", v1alpha1.ActionConfigure),
		Entry("to stop it", v1alpha1.ActionStop),
		Entry("to restart it", v1alpha1.ActionRestart),
		Entry("to uninstall it", v1alpha1.ActionUninstall),
	)

	It("precedes the tasks after it, and can be canceled", func() {
		first := b.createTask("a", v1alpha1.ActionUpgrade)
		second := b.createTask("b", v1alpha1.ActionStop)
		b.expectWaiting(v1alpha1.ReasonWaitingForTurn)
		b.selectTask(first).expectWaiting(v1alpha1.ReasonSuspended)
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(ContainSubstring("; other tasks of the instance wait for this task; to cancel task "))
		b.editTask(func(t *v1alpha1.AppInstallTask) { t.Spec.Cancel = new(true) })
		b.expectFailure(v1alpha1.ReasonCanceled)
		b.selectTask(second).expectWaiting(v1alpha1.ReasonSuspended)
	})

	It("waits no longer than its start deadline", func() {
		b.createTask("task", v1alpha1.ActionUpgrade, func(t *v1alpha1.AppInstallTask) { t.Spec.StartDeadline = "1h" })
		Expect(b.expectWaiting(v1alpha1.ReasonSuspended).RequeueAfter).To(BeNumerically("~", time.Hour, time.Minute))
		b.elapsed = time.Hour
		Expect(b.expectFailure(v1alpha1.ReasonDeadlineExceeded)).To(ContainSubstring(`instance "web" is suspended`))
	})

	It("can start while the instance is being deleted", func() {
		b.createTask("task", v1alpha1.ActionUninstall)
		i := b.currentInstance()
		Expect(server.Client.Delete(b.ctx, i)).To(Succeed())
		b.expectWaiting(v1alpha1.ReasonWaitingForTurn)
	})
})
