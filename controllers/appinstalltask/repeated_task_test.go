package appinstalltask_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A task that was admitted", func() {
	var b *taskFixture
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
	})
	resolved := [3]string{"Resolved", "True", "Resolved"}

	Context("over an instance that failed at the same", func() {
		failed := func(version, milestone, reason string) {
			GinkgoHelper()
			b.setInstanceStatus(version, true, resolved, [3]string{milestone, "False", reason}, [3]string{"Ready", "False", reason}, [3]string{"Stalled", "True", reason})
		}
		// repeats expects that a task is carried out that does not change the spec.
		repeats := func(action v1alpha1.Action, version, milestone, reason string, change ...func(*v1alpha1.AppInstallTask)) {
			GinkgoHelper()
			b.createTask("once", action, change...)
			b.expectStarted()
			failed(version, milestone, reason)
			b.expectFailure(reason)
			generation := b.currentInstance().Generation
			b.createTask("again", action, change...)
			b.expectStarted()
			Expect(b.currentInstance().Generation).To(Equal(generation), "the spec is as it was")
			b.expectWaiting(v1alpha1.ReasonProgressing)
			failed(version, milestone, reason)
			b.expectFailure(reason)
			b.createTask("at-last", action, change...)
			b.expectStarted()
			b.setInstanceReady(version)
			b.expectSuccess()
		}

		It("installs again", func() { repeats(v1alpha1.ActionInstall, "", "Applied", v1alpha1.ReasonInstallFailed) })

		It("removes again", func() {
			b.installVersion("1.0.0")
			repeats(v1alpha1.ActionUninstall, "1.0.0", "Applied", v1alpha1.ReasonUninstallFailed)
		})

		It("upgrades again", func() {
			b.installVersion("1.0.0")
			b.PublishVersion("1.1.0", filesWithoutInputs())
			repeats(v1alpha1.ActionUpgrade, "1.0.0", "Applied", v1alpha1.ReasonUpgradeFailed)
		})

		It("stops again", func() {
			b.installVersion("1.0.0")
			repeats(v1alpha1.ActionStop, "1.0.0", "Applied", v1alpha1.ReasonStopFailed)
		})

		It("resumes again", func() {
			b.installVersion("1.0.0")
			failed("1.0.0", "Applied", v1alpha1.ReasonUpgradeFailed)
			repeats(v1alpha1.ActionResume, "1.0.0", "Applied", v1alpha1.ReasonResumeFailed)
		})

		It("asks again when it takes back what it wrote", func() {
			b.installVersion("1.0.0")
			b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.PinnedRevision = 1 })
			b.setInstanceReady("1.0.0")
			b.createTask("stop", v1alpha1.ActionStop)
			b.expectStarted()
			failed("1.0.0", "Applied", v1alpha1.ReasonStopFailed)
			b.editTask(func(t *v1alpha1.AppInstallTask) { t.Spec.Cancel = new(true) })
			b.expectWaiting(v1alpha1.ReasonProgressing)
			Expect(b.currentInstance().Annotations[v1alpha1.ReconcileRequestAnnotation]).To(Equal(string(b.task.UID) + ".undone"))
		})
	})

	Context("and is applied again under its name", func() {
		again := func(action v1alpha1.Action, change ...func(*v1alpha1.AppInstallTask)) {
			GinkgoHelper()
			task := b.task
			name := task.Name
			Expect(server.Client.Delete(b.ctx, task)).To(Succeed())
			Eventually(func() error { return objects.Get(b.ctx, client.ObjectKeyFromObject(task), &v1alpha1.AppInstallTask{}) }).ShouldNot(Succeed())
			b.createTask(name, action, change...)
		}
		// carried adds the entry of the task to the ledger of the instance.
		carried := func(version string) {
			GinkgoHelper()
			i := b.currentInstance()
			before := client.MergeFrom(i.DeepCopy())
			i.Status.CompletedTasks = append([]v1alpha1.CompletedTask{{
				Task: recordOf(i).Task, Hash: recordOf(i).Hash,
				Outcome: v1alpha1.OutcomeSucceeded, Reason: v1alpha1.ReasonSucceeded, Version: version, EndedAt: metav1.Now(),
			}}, i.Status.CompletedTasks...)
			Expect(server.Client.Status().Patch(b.ctx, i, before)).To(Succeed())
		}

		It("ends well while the instance is what it made of it", func() {
			b.createTask("install", v1alpha1.ActionInstall)
			b.expectStarted()
			b.setInstanceReady("1.0.0")
			b.expectSuccess()
			carried("1.0.0")
			again(v1alpha1.ActionInstall)
			b.expectSuccess()
			Expect(b.conditionMessage(v1alpha1.ConditionSucceeded)).To(Equal(
				`this task has already completed, and instance "web" is in state Running with version 1.0.0; set another spec.runID to run it again`))
		})

		DescribeTable("does not succeed while the instance is something else", func(action v1alpha1.Action, state v1alpha1.DesiredState, version, want string) {
			b.installVersion("1.0.0")
			b.PublishVersion("1.1.0", filesWithoutInputs())
			b.createTask("task", action)
			b.expectStarted()
			b.setInstanceReady("1.1.0")
			b.expectSuccess()
			carried("1.1.0")
			b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = state })
			b.setInstanceReady(version)
			again(action)
			Expect(b.expectFailure(v1alpha1.ReasonSuperseded)).To(And(
				HavePrefix(`this task has already completed, but instance "web" is now in state `+want),
				HaveSuffix("set another spec.runID to run it again")))
		},
			Entry("an upgrade that was removed", v1alpha1.ActionUpgrade, v1alpha1.StateUninstalled, "", "Uninstalled; "),
			Entry("an upgrade that was stopped", v1alpha1.ActionUpgrade, v1alpha1.StateStopped, "1.1.0", "Running with version 1.1.0"),
			Entry("an upgrade that was rolled back", v1alpha1.ActionUpgrade, v1alpha1.StateRunning, "1.0.0", "Running with version 1.0.0"),
			Entry("a stop that was resumed", v1alpha1.ActionStop, v1alpha1.StateRunning, "1.1.0", "Running with version 1.1.0"),
			Entry("a removal that was installed again", v1alpha1.ActionUninstall, v1alpha1.StateRunning, "1.1.0", "Running with version 1.1.0"),
		)
	})

	Context("and whose note of it was lost", func() {
		// lost resets the status, as if the process had crashed after it wrote the
		// instance.
		lost := func() {
			GinkgoHelper()
			b.editStatus(func(status *v1alpha1.AppInstallTaskStatus) {
				*status = v1alpha1.AppInstallTaskStatus{ObservedGeneration: -1}
			})
			b.writes.Take()
		}
		// same expects the task to start again without a change of the instance.
		same := func(generation int64) {
			GinkgoHelper()
			_, err := b.reconcileTask()
			Expect(err).NotTo(HaveOccurred(), "%+v", b.task.Status)
			Expect(b.currentInstance().Generation).To(Equal(generation))
			Expect(b.task.Status.InstanceRef.Generation).To(Equal(generation))
		}

		It("goes on with an installation", func() {
			b.createTask("install", v1alpha1.ActionInstall)
			b.expectStarted()
			lost()
			same(1)
			b.setInstanceReady("1.0.0")
			b.expectSuccess()
		})

		It("ends well with an installation that was carried out meanwhile", func() {
			b.createTask("install", v1alpha1.ActionInstall)
			b.expectStarted()
			b.setInstanceReady("1.0.0")
			lost()
			same(1)
			Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("True Succeeded"))
		})

		It("goes on with an upgrade, also one that was carried out meanwhile", func() {
			b.installVersion("1.0.0")
			b.PublishVersion("1.1.0", filesWithoutInputs())
			b.createTask("upgrade", v1alpha1.ActionUpgrade)
			b.expectStarted()
			lost()
			same(2)
			b.setInstanceReady("1.1.0")
			lost()
			same(2)
			Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("True Succeeded"))
		})

		It("goes on with a removal, also one that was carried out meanwhile", func() {
			b.installVersion("1.0.0")
			b.createTask("remove", v1alpha1.ActionUninstall)
			b.expectStarted()
			lost()
			same(2)
			b.setInstanceStatus("", true, [3]string{"Ready", "True", "Uninstalled"})
			lost()
			same(2)
			Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("True Succeeded"))
		})
	})
})
