package appinstalltask_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A Restart task", func() {
	var b *taskFixture
	requested := func() *metav1.Time {
		GinkgoHelper()
		return b.currentInstance().Spec.RestartRequestedAt
	}
	setStatus := func(set func(*v1alpha1.AppInstanceStatus)) {
		GinkgoHelper()
		i := b.currentInstance()
		before := client.MergeFrom(i.DeepCopy())
		set(&i.Status)
		Expect(server.Client.Status().Patch(b.ctx, i, before)).To(Succeed())
	}
	// carryOut sets the status after a restart.
	carryOut := func() {
		GinkgoHelper()
		b.setInstanceReady("1.0.0")
		at := requested()
		setStatus(func(st *v1alpha1.AppInstanceStatus) { st.RestartedAt = at })
	}

	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.installVersion("1.0.0")
	})

	It("requests a restart at the present time, and follows the instance", func() {
		spec := b.currentInstance().Spec
		b.createTask("restart", v1alpha1.ActionRestart)
		b.expectStarted()
		at := requested()
		Expect(at.Time).To(BeTemporally("~", time.Now(), 10*time.Second))
		spec.RestartRequestedAt = at
		Expect(b.currentInstance().Spec).To(Equal(spec), "nothing else is changed")
		b.setInstanceStatus("1.0.0", false, [3]string{"Resolved", "True", "Resolved"}, [3]string{"Applied", "True", "Applied"}, [3]string{"Ready", "Unknown", "WaitingForObjects"},
			[3]string{"Reconciling", "True", "WaitingForObjects"})
		b.expectWaiting(v1alpha1.ReasonWaitingForObjects)
		carryOut()
		b.expectSuccess()

		By("restarting again with another time, also within the same second")
		b.createTask("again", v1alpha1.ActionRestart)
		b.expectStarted()
		Expect(at.Before(requested())).To(BeTrue())
	})

	It("fails with the instance", func() {
		b.createTask("restart", v1alpha1.ActionRestart)
		b.expectStarted()
		b.setInstanceStatus("1.0.0", true, [3]string{"Resolved", "True", "Resolved"}, [3]string{"Applied", "False", "RestartFailed"},
			[3]string{"Ready", "False", "RestartFailed"}, [3]string{"Stalled", "True", "RestartFailed"})
		b.expectFailure(v1alpha1.ReasonRestartFailed)

		By("withdrawing the request with the next task")
		b.PublishVersion("1.1.0", filesWithoutInputs())
		b.createTask("upgrade", v1alpha1.ActionUpgrade)
		b.expectStarted()
		Expect(requested()).To(BeNil())
	})

	It("requests the restart before it when it is canceled", func() {
		b.createTask("restart", v1alpha1.ActionRestart)
		b.expectStarted()
		carryOut()
		b.expectSuccess()
		first := requested()
		b.createTask("again", v1alpha1.ActionRestart)
		b.expectStarted()
		Expect(recordOf(b.currentInstance()).PreviousRestart.Equal(first)).To(BeTrue())
		carryOut()
		setStatus(func(st *v1alpha1.AppInstanceStatus) { st.ObservedGeneration-- }) // it waits for its Pods
		b.editTask(func(t *v1alpha1.AppInstallTask) { t.Spec.Cancel = new(true) })
		_, _ = b.reconcileTask() // it waits for the instance
		Expect(requested().Equal(first)).To(BeTrue())
		carryOut()
		b.expectFailure(v1alpha1.ReasonCanceled)
	})

	It("removes the request when the first restart is canceled", func() {
		b.createTask("restart", v1alpha1.ActionRestart)
		b.expectStarted()
		b.editTask(func(t *v1alpha1.AppInstallTask) { t.Spec.Cancel = new(true) })
		_, _ = b.reconcileTask() // it waits for the instance
		Expect(requested()).To(BeNil())
		b.setInstanceReady("1.0.0")
		b.expectFailure(v1alpha1.ReasonCanceled)
	})

	It("is rejected if the instance is stopped, is not installed, or its last change failed", func() {
		i := b.currentInstance()
		before := client.MergeFrom(i.DeepCopy())
		i.Spec.DesiredState = v1alpha1.StateStopped
		Expect(server.Client.Patch(b.ctx, i, before)).To(Succeed())
		setStatus(func(st *v1alpha1.AppInstanceStatus) { st.Stopped = true })
		b.createTask("stopped", v1alpha1.ActionRestart)
		Expect(b.expectFailure(v1alpha1.ReasonInvalidState)).To(ContainSubstring("use action Resume first"))

		b.createTask("missing", v1alpha1.ActionRestart, func(t *v1alpha1.AppInstallTask) { t.Spec.InstanceName = "other" })
		b.expectFailure(v1alpha1.ReasonNotInstalled)

		setStatus(func(st *v1alpha1.AppInstanceStatus) {
			st.Stopped = false
			st.History = []v1alpha1.HistoryEntry{{
				Operation: v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, StartedAt: metav1.Now()}, Outcome: v1alpha1.OutcomeFailed, EndedAt: metav1.Now(),
			}}
		})
		b.createTask("failed", v1alpha1.ActionRestart)
		Expect(b.expectFailure(v1alpha1.ReasonInvalidState)).To(ContainSubstring("(Upgrade) did not succeed"))
	})
})
