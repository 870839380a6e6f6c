package appinstalltask_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskrecord"
	"github.com/appmarket/operator/internal/transitions"
)

// recordOf returns the record of the task that last wrote an instance.
func recordOf(i *v1alpha1.AppInstance) taskrecord.Record {
	GinkgoHelper()
	record, err := taskrecord.ReadRecord(i)
	Expect(err).NotTo(HaveOccurred())
	record.Code = ""
	return record
}

// hashOf returns the hash of the operation that a task requests.
func hashOf(task *v1alpha1.AppInstallTask) string {
	GinkgoHelper()
	hash, err := transitions.HashSpec(task)
	Expect(err).NotTo(HaveOccurred())
	return hash
}

// editInstance changes the instance as another client does.
func (b *taskFixture) editInstance(edit func(*v1alpha1.AppInstance)) {
	GinkgoHelper()
	i := b.currentInstance()
	before := client.MergeFrom(i.DeepCopy())
	edit(i)
	Expect(server.Client.Patch(b.ctx, i, before)).To(Succeed())
}

var _ = Describe("A task that was admitted", func() {
	var b *taskFixture
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
	})

	var (
		resolved = [3]string{"Resolved", "True", "Resolved"}
		applied  = [3]string{"Applied", "True", "Applied"}
		healthy  = [3]string{"Healthy", "True", "Healthy"}
		unknown  = [3]string{"Ready", "Unknown", "Progressing"}
		working  = [3]string{"Reconciling", "True", "Progressing"}
		waiting  = [3]string{"Reconciling", "True", "WaitingForObjects"}
		retrying = [3]string{"Reconciling", "True", "ProgressingWithRetry"}
	)
	milestones := func() []string {
		return []string{b.conditionStatus("Resolved"), b.conditionStatus("Applied"), b.conditionStatus("Healthy")}
	}

	It("writes the instance", func() {
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) {
			t.Spec.EnsureParameters().Title, t.Spec.Timeout, t.Spec.EnsureParameters().DataPolicy = "Mine", "5m", v1alpha1.DataDelete
		})
		b.expectStarted()
		i := b.currentInstance()
		Expect(i.Labels).To(HaveKeyWithValue(v1alpha1.AppLabel, "web"))
		Expect(recordOf(i)).To(Equal(taskrecord.Record{Task: "install", UID: string(b.task.UID), Hash: hashOf(b.task)}))
		Expect([]any{i.Spec.AppRef, i.Spec.Version, i.Spec.Title, i.Spec.Timeout, i.Spec.DataPolicy, i.Spec.DesiredState, i.Spec.ServiceAccountName}).
			To(Equal([]any{b.AppReference(), "1.0.0", "Mine", v1alpha1.Duration("5m"), v1alpha1.DataDelete, v1alpha1.StateRunning, "tenant"}))
		ref := b.task.Status.InstanceRef
		Expect([]any{ref.Name, ref.UID, ref.Generation}).To(Equal([]any{"web", string(i.UID), i.Generation}))
		Expect(b.task.Status.StartTime).NotTo(BeNil())
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True Progressing"))
	})

	It("shows how far the instance is, and ends when it is ready", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		b.setInstanceStatus("", false, resolved, unknown, working)
		b.expectWaiting(v1alpha1.ReasonProgressing)
		Expect(milestones()).To(Equal([]string{"True Resolved", "", ""}))
		b.setInstanceStatus("1.0.0", false, resolved, applied, unknown, waiting)
		b.expectWaiting(v1alpha1.ReasonWaitingForObjects)
		Expect(milestones()).To(Equal([]string{"True Resolved", "True Applied", ""}))
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(Equal("Reconciling as the instance says"))
		b.setInstanceReady("1.0.0")
		b.expectSuccess()
		Expect(milestones()).To(Equal([]string{"True Resolved", "True Applied", "True Healthy"}))
		Expect(b.conditionMessage(v1alpha1.ConditionSucceeded)).To(Equal("Ready as the instance says"))
	})

	It("goes on while the instance tries again", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		b.setInstanceStatus("", false, [3]string{"Resolved", "False", "ChartNotFound"}, [3]string{"Ready", "False", "ChartNotFound"}, retrying)
		b.expectWaiting(v1alpha1.ReasonProgressingWithRetry)
	})

	DescribeTable("fails with the instance", func(milestone, reason string, conditions ...[3]string) {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		conditions = append(conditions, [3]string{milestone, "False", reason}, [3]string{"Ready", "False", reason}, [3]string{"Stalled", "True", reason})
		b.setInstanceStatus("", true, conditions...)
		Expect(b.expectFailure(reason)).To(Equal("Stalled as the instance says"))
		Expect(b.conditionStatus(milestone)).To(Equal("False " + reason))
	},
		Entry("that is not resolved", "Resolved", "InvalidSpec"),
		Entry("that is not installed", "Applied", "InstallFailed", resolved),
		Entry("that does not become ready", "Healthy", "TimedOut", resolved, applied),
	)

	It("does not take what the instance said of an earlier spec for its own", func() {
		b.installVersion("1.0.0")
		b.PublishVersion("1.1.0", filesWithoutInputs())
		b.createTask("upgrade", v1alpha1.ActionUpgrade)
		b.expectStarted()
		Expect(milestones()).To(Equal([]string{"", "", ""}))
		b.expectWaiting(v1alpha1.ReasonProgressing)
		b.setInstanceStatus("1.0.0", false, resolved, applied, healthy, [3]string{"Ready", "True", "Ready"}, waiting)
		b.expectWaiting(v1alpha1.ReasonWaitingForObjects)
		b.setInstanceReady("1.1.0")
		b.expectSuccess()
	})

	It("ends when what is tried again and again takes more than its time", func() {
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.Timeout = "1m" })
		b.expectStarted()
		b.setInstanceStatus("", false, [3]string{"Reconciling", "True", "ProgressingWithRetry"}, [3]string{"Ready", "False", "ReferenceNotFound"})
		result := b.expectWaiting(v1alpha1.ReasonProgressingWithRetry)
		Expect(result.RequeueAfter).To(BeNumerically("~", time.Minute, 10*time.Second))
		b.editStatus(func(status *v1alpha1.AppInstallTaskStatus) {
			early := metav1.NewTime(status.StartTime.Add(-time.Minute))
			status.StartTime = &early
		})
		b.expectFailure(v1alpha1.ReasonTimedOut)
	})

	It("has seen what is changed after its end", func() {
		b.installVersion("1.0.0")
		b.editTask(func(t *v1alpha1.AppInstallTask) { t.Spec.EnsureParameters().Version = "1.x" })
		_, err := b.reconcileTask()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.task.Status.ObservedGeneration).To(Equal(b.task.Generation))
		Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("True Succeeded"))
		b.expectNoWrites()
	})

	It("does not fail with what the instance failed at before", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		b.setInstanceStatus("1.0.0", true, resolved, applied, [3]string{"Healthy", "False", "TimedOut"}, [3]string{"Ready", "False", "TimedOut"}, [3]string{"Stalled", "True", "TimedOut"})
		b.expectFailure(v1alpha1.ReasonTimedOut)
		b.PublishVersion("1.1.0", filesWithoutInputs())
		b.createTask("upgrade", v1alpha1.ActionUpgrade)
		b.expectStarted()
		b.expectWaiting(v1alpha1.ReasonProgressing)
		b.setInstanceReady("1.1.0")
		b.expectSuccess()
	})

	It("removes, and ends when the instance is removed", func() {
		b.installVersion("1.0.0")
		b.createTask("remove", v1alpha1.ActionUninstall, func(t *v1alpha1.AppInstallTask) {
			t.Spec.Uninstall = &v1alpha1.UninstallParameters{DataPolicy: v1alpha1.DataDelete}
		})
		b.expectStarted()
		i := b.currentInstance()
		Expect([]any{i.Spec.DesiredState, i.Spec.DataPolicy}).To(Equal([]any{v1alpha1.StateUninstalled, v1alpha1.DataDelete}))
		b.expectWaiting(v1alpha1.ReasonProgressing)
		b.setInstanceStatus("", true, [3]string{"Resolved", "True", "Uninstalled"}, [3]string{"Applied", "True", "Uninstalled"}, [3]string{"Healthy", "True", "Uninstalled"}, [3]string{"Ready", "True", "Uninstalled"})
		b.expectSuccess()
	})

	It("installs again what was removed", func() {
		b.installVersion("1.0.0")
		b.createTask("remove", v1alpha1.ActionUninstall)
		b.expectStarted()
		b.setInstanceStatus("", true, [3]string{"Ready", "True", "Uninstalled"})
		b.expectSuccess()
		b.createTask("again", v1alpha1.ActionInstall)
		b.expectStarted()
		Expect(b.currentInstance().Spec.DesiredState).To(Equal(v1alpha1.StateRunning))
		b.expectWaiting(v1alpha1.ReasonProgressing)
	})

	It("ends when the instance is deleted meanwhile", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		b.removeInstance()
		Expect(b.expectFailure(v1alpha1.ReasonInterrupted)).To(ContainSubstring("was deleted"))
	})

	It("ends when another instance has taken the name", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		b.removeInstance()
		server.Create(GinkgoTB(), &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "web"}, Spec: v1alpha1.AppInstanceSpec{AppRef: b.AppReference()}})
		b.expectFailure(v1alpha1.ReasonInterrupted)
	})

	It("ends when another client changes the spec of the instance", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		i := b.currentInstance()
		before := client.MergeFrom(i.DeepCopy())
		i.Spec.DesiredState = v1alpha1.StateUninstalled
		Expect(server.Client.Patch(b.ctx, i, before)).To(Succeed())
		Expect(b.expectFailure(v1alpha1.ReasonInterrupted)).To(ContainSubstring("changed by another client"))
	})

	DescribeTable("ends when another client replaces what it wrote, although the instance is ready afterwards", func(edit func(*v1alpha1.AppInstanceSpec)) {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		b.editInstance(func(i *v1alpha1.AppInstance) { edit(&i.Spec) })
		b.setInstanceReady("1.0.0")
		Expect(b.expectFailure(v1alpha1.ReasonInterrupted)).To(HavePrefix(`instance "web" was changed by another client before the operation was complete`))
	},
		Entry("values", func(spec *v1alpha1.AppInstanceSpec) { spec.Values = &runtime.RawExtension{Raw: []byte(`{"a":1}`)} }),
		Entry("version", func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "1.x" }),
		Entry("account", func(spec *v1alpha1.AppInstanceSpec) { spec.ServiceAccountName = "another" }),
	)

	It("counts what the instance concluded before another client changed it", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		b.setInstanceReady("1.0.0")
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = "1.x" })
		b.expectSuccess()
	})

	It("names the task that changed the instance", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		other := b.task
		b.createTask("other", v1alpha1.ActionUninstall)
		b.editInstance(func(i *v1alpha1.AppInstance) {
			Expect(taskrecord.WriteRecord(i, taskrecord.Record{Task: "other", UID: string(b.task.UID), Hash: hashOf(b.task)})).To(Succeed())
		})
		Expect(b.selectTask(other).expectFailure(v1alpha1.ReasonInterrupted)).To(ContainSubstring(`changed by task "other" (Uninstall)`))
	})

	It("ends when another client makes its record invalid, and a new task replaces that record", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Annotations[v1alpha1.TaskAnnotation] = "[" })
		Expect(b.expectFailure(v1alpha1.ReasonInterrupted)).To(HavePrefix(
			`instance "web" was changed by another client (metadata.annotations["appmarket.io/task"]: must be a JSON object with the name of a task) before the operation was complete`))
		b.setInstanceReady("1.0.0")
		b.createTask("stop", v1alpha1.ActionStop)
		b.expectStarted()
		Expect(recordOf(b.currentInstance())).To(Equal(taskrecord.Record{
			Task: "stop", UID: string(b.task.UID), Hash: hashOf(b.task), PreviousRevision: b.currentInstance().Status.Revision,
		}))
	})

	It("tells of an edit after its end", func() {
		b.installVersion("1.0.0")
		b.editTask(func(t *v1alpha1.AppInstallTask) { t.Spec.EnsureParameters().Version = "1.x" })
		for range 2 {
			_, err := b.reconcileTask()
			Expect(err).NotTo(HaveOccurred())
			Expect(b.conditionMessage(v1alpha1.ConditionSucceeded)).To(Equal("Ready as the instance says; spec was changed after the end of the task, " +
				"and only ttlSecondsAfterFinished has an effect; delete and re-create the task, or create another task"))
			b.editTask(func(t *v1alpha1.AppInstallTask) { t.Spec.EnsureParameters().Version = "1.0.0" })
		}
	})
})
