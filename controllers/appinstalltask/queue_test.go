package appinstalltask_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/appinstalltask"
)

var _ = Describe("A task waits", func() {
	var b *taskFixture
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
	})

	It("for the tasks of the same instance that came first", func() {
		first := b.createTask("a", v1alpha1.ActionInstall)
		second := b.createTask("b", v1alpha1.ActionStop)
		third := b.createTask("c", v1alpha1.ActionResume)
		b.selectTask(third).expectWaiting(v1alpha1.ReasonWaitingForTurn)
		Expect(b.task.Status.QueuePosition).To(Equal(int32(2)))
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(HavePrefix(`waiting for task "a" (Install) of the same instance; `))
		b.selectTask(second).expectWaiting(v1alpha1.ReasonWaitingForTurn)
		Expect(b.task.Status.QueuePosition).To(Equal(int32(1)))
		b.selectTask(first).expectStarted()
		b.selectTask(second).expectWaiting(v1alpha1.ReasonWaitingForTurn)
		b.setInstanceReady("1.0.0")
		b.selectTask(first).expectSuccess()
		b.selectTask(second).expectStarted()
		b.selectTask(third).expectWaiting(v1alpha1.ReasonWaitingForTurn)
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(HavePrefix(`waiting for task "b" (Stop) of the same instance; `))
		Expect(b.task.Status.QueuePosition).To(Equal(int32(1)))
	})

	It("only where few others of the same instance do", func() {
		b.reconciler.MaxTasks = 2
		first := b.createTask("a", v1alpha1.ActionInstall)
		b.createTask("b", v1alpha1.ActionStop)
		b.expectWaiting(v1alpha1.ReasonWaitingForTurn)
		b.createTask("c", v1alpha1.ActionResume)
		Expect(b.expectFailure(v1alpha1.ReasonAllowanceExceeded)).To(ContainSubstring("exceeded limit of 2 unfinished tasks of instance "))
		Expect(b.task.Finished()).To(BeTrue())
		b.selectTask(first).expectStarted()
	})

	It("and says for whom, for how long and why, where the task before it is idle", func() {
		first := b.createTask("a", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.Suspend, t.Spec.StartDeadline = new(true), "1h" })
		b.expectWaiting(v1alpha1.ReasonSuspended)
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(Equal("suspended by spec.suspend"))
		b.createTask("b", v1alpha1.ActionUpgrade)
		b.expectWaiting(v1alpha1.ReasonWaitingForTurn)
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(Equal(
			`waiting for task "a" (Install) of the same instance, which waits until 1h after its creation: suspended by spec.suspend; ` +
				`to cancel task "a", set its spec.cancel to true, or run "kubectl market cancel a -n ` + b.namespace + `"`))
		b.selectTask(first).expectWaiting(v1alpha1.ReasonSuspended)
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(Equal("suspended by spec.suspend; other tasks of the instance wait for this task; " +
			`to cancel task "a", set its spec.cancel to true, or run "kubectl market cancel a -n ` + b.namespace + `"`))
	})

	It("for what is under way only if it does not remove the instance", func() {
		first := b.createTask("z", v1alpha1.ActionInstall)
		b.expectStarted()
		b.createTask("m", v1alpha1.ActionStop)
		b.expectWaiting(v1alpha1.ReasonWaitingForTurn)
		away := b.createTask("n", v1alpha1.ActionUninstall)
		b.expectStarted()
		Expect(b.selectTask(first).expectFailure(v1alpha1.ReasonInterrupted)).To(Equal(
			`instance "web" was changed by task "n" (Uninstall) before the operation was complete; see the conditions of the instance`))
		b.setInstanceStatus("", true, [3]string{"Ready", "True", "Uninstalled"})
		b.selectTask(away).expectSuccess()
	})

	It("for a removal that was begun before, also if it removes the instance itself", func() {
		b.installVersion("1.0.0")
		b.createTask("a", v1alpha1.ActionUninstall)
		b.expectStarted()
		b.createTask("b", v1alpha1.ActionUninstall)
		b.expectWaiting(v1alpha1.ReasonWaitingForTurn)
	})

	It("for an installation that has not begun, before it removes what is not there", func() {
		b.createTask("a", v1alpha1.ActionInstall)
		b.createTask("b", v1alpha1.ActionUninstall)
		b.expectWaiting(v1alpha1.ReasonWaitingForTurn)
	})

	It("for no task of another instance", func() {
		b.createTask("a", v1alpha1.ActionInstall)
		b.createTask("b", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.InstanceName = "other" })
		b.expectStarted()
		Expect(b.task.Status.QueuePosition).To(BeZero())
	})

	It("for the task that has the instance, though it is younger by name", func() {
		holder := b.createTask("z", v1alpha1.ActionInstall)
		b.expectStarted()
		late := b.createTask("a", v1alpha1.ActionStop)
		b.selectTask(late).expectWaiting(v1alpha1.ReasonWaitingForTurn)
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(HavePrefix(`waiting for task "z" (Install) of the same instance`))
		b.setInstanceReady("1.0.0")
		b.selectTask(holder).expectSuccess()
		b.selectTask(late).expectStarted()
	})

	It("for no task that is going away", func() {
		first := b.createTask("a", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Finalizers = []string{"example.com/hold"} })
		Expect(objects.Delete(b.ctx, first)).To(Succeed())
		b.createTask("b", v1alpha1.ActionInstall)
		b.expectStarted()
		first.Finalizers = nil
		before := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		Expect(objects.Patch(b.ctx, first, before)).To(Succeed())
	})

	It("while it is suspended", func() {
		b.createTask("a", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.Suspend = new(true) })
		b.expectWaiting(v1alpha1.ReasonSuspended)
		b.editTask(func(t *v1alpha1.AppInstallTask) { t.Spec.Suspend = nil })
		b.expectStarted()
	})

	It("until its deadline, and says for what", func() {
		b.createTask("a", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) {
			t.Spec.Suspend, t.Spec.StartDeadline = new(true), "1h"
		})
		result := b.expectWaiting(v1alpha1.ReasonSuspended)
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 59*time.Minute), BeNumerically("<=", time.Hour)))
		b.readTask()
		b.task.CreationTimestamp = metav1.NewTime(time.Now().Add(-2 * time.Hour)) // The API server does not accept this field.
		_, err := b.reconciler.Reconcile(b.ctx, b.task)
		Expect(err).To(HaveOccurred())
		b.readTask()
		Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("False DeadlineExceeded"))
		Expect(b.conditionMessage(v1alpha1.ConditionAdmitted)).To(Equal("not admitted within spec.startDeadline (1h): suspended by spec.suspend"))
		Expect(b.task.Finished()).To(BeTrue())
		b.expectNoWrites()
	})

	It("for an app no longer than its deadline", func() {
		b.EditApp(func(app *v1alpha1.AppInfo) { app.Status.Versions = nil })
		b.createTask("a", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.StartDeadline = "1h" })
		Expect(b.expectWaiting(v1alpha1.ReasonWaitingForApp).RequeueAfter).To(BeNumerically(">", 59*time.Minute))
	})

	Context("no more, and", func() {
		// ended ends a task the given time ago.
		ended := func(ago time.Duration, change func(*v1alpha1.AppInstallTask)) {
			GinkgoHelper()
			b.createTask("a", v1alpha1.ActionUninstall, func(t *v1alpha1.AppInstallTask) { t.Spec.TTLSecondsAfterFinished = new(int32(60)) }, change)
			b.expectFailure(v1alpha1.ReasonNotInstalled)
			b.editStatus(func(status *v1alpha1.AppInstallTaskStatus) {
				status.CompletionTime = new(metav1.NewTime(time.Now().Add(-ago)))
			})
		}
		nothing := func(*v1alpha1.AppInstallTask) {}

		It("stays until its time has come", func() {
			ended(10*time.Second, nothing)
			result, err := b.reconcileTask()
			Expect(err).NotTo(HaveOccurred())
			Expect(result.RequeueAfter).To(And(BeNumerically(">", 45*time.Second), BeNumerically("<=", 51*time.Second)))
		})

		It("goes when its time has come", func() {
			ended(2*time.Minute, nothing)
			b.readTask()
			_, err := b.reconciler.Reconcile(b.ctx, b.task)
			Expect(err).NotTo(HaveOccurred())
			err = server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.task), b.task)
			Expect(apierrors.IsNotFound(err)).To(BeTrue())
		})

		It("is kept unless ttlSecondsAfterFinished is set", func() {
			ended(24*time.Hour, func(t *v1alpha1.AppInstallTask) { t.Spec.TTLSecondsAfterFinished = nil })
			result, err := b.reconcileTask()
			Expect(err).NotTo(HaveOccurred())
			Expect(result.RequeueAfter).To(BeZero())
			b.expectNoWrites()
		})

		DescribeTable("is reconciled after its end if it is deleted after a time", func(isDryRun, hasTTL, isReconciled bool) {
			ended(0, func(t *v1alpha1.AppInstallTask) {
				t.Spec.DryRun = new(isDryRun)
				if !hasTTL {
					t.Spec.TTLSecondsAfterFinished = nil
				}
			})
			b.readTask()
			next := appinstalltask.NextInQueue(b.ctx, b.reconciler.Client, b.task)
			Expect(next).To(HaveLen(map[bool]int{true: 1}[isReconciled]))
		},
			Entry("a task with a time to live", false, true, true),
			Entry("a dry run", true, false, true),
			Entry("a task without a time to live", false, false, false),
		)

		DescribeTable("is left to the tool that keeps it", func(annotations, labels map[string]string, stays bool) {
			ended(2*time.Minute, func(t *v1alpha1.AppInstallTask) { t.Annotations, t.Labels = annotations, labels })
			b.readTask()
			_, err := b.reconciler.Reconcile(b.ctx, b.task)
			Expect(err).NotTo(HaveOccurred())
			err = server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.task), b.task)
			Expect(apierrors.IsNotFound(err)).To(Equal(!stays))
		},
			Entry("Argo CD", map[string]string{"argocd.argoproj.io/tracking-id": "x"}, nil, true),
			Entry("Argo CD, as a hook", map[string]string{"argocd.argoproj.io/tracking-id": "x", "argocd.argoproj.io/hook": "PostSync"}, nil, false),
			Entry("Flux", nil, map[string]string{"kustomize.toolkit.fluxcd.io/name": "x"}, true),
		)
	})
})
