package appinstance_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("Following an instance", func() {
	const (
		healthy = "True Ready, True Healthy"
		waiting = "Unknown WaitingForObjects, "
		late    = "False TimedOut, False TimedOut"
	)
	var b *instanceFixture
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", workloadFiles())
	})

	// later moves the times in status into the past.
	later := func(span time.Duration) {
		GinkgoHelper()
		b.editStatus(func(status *v1alpha1.AppInstanceStatus) {
			for i := range status.Conditions {
				status.Conditions[i].LastTransitionTime = metav1.NewTime(status.Conditions[i].LastTransitionTime.Add(-span))
			}
			for i := range status.History {
				status.History[i].EndedAt = metav1.NewTime(status.History[i].EndedAt.Add(-span))
			}
		})
	}
	installed := func() {
		GinkgoHelper()
		b.createInstance()
		result, err := b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForObjects"))
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 9*time.Minute), BeNumerically("<=", 10*time.Minute+time.Second)), "it is checked again at the end of its timeout")
	}

	It("waits for its objects, and says which", func() {
		installed()
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("Unknown WaitingForObjects"))
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(HavePrefix("0 of 1 objects ready: Deployment/mine: "))
		Expect(b.instance.Status.Inventory.Ready).To(BeZero())
		Expect(b.instance.Status.Inventory.Unready).To(ConsistOf(And(
			HaveField("Object.Name", "mine"), HaveField("Status", v1alpha1.ObjectInProgress), HaveField("Message", Not(BeEmpty())))))
		b.expectNoWrites()
	})

	It("is ready when they are, and for as long as they are", func() {
		installed()
		b.setWorkloadReady(true)
		b.reconcileUntil(healthy)
		Expect(b.instance.Status.Inventory.Ready).To(Equal(int32(1)))
		Expect(b.instance.Status.Inventory.Unready).To(BeEmpty())
		b.expectNoWrites()
		b.setWorkloadReady(false)
		result, err := b.reconcileUntil(waiting)
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(HavePrefix("version 1.0.0, 0 of 1 objects ready: Deployment/mine: "))
		Expect(result.RequeueAfter).To(BeNumerically(">", 9*time.Minute), "counted from now on")
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForObjects"))
		b.expectNoWrites()
		b.setWorkloadReady(true)
		b.reconcileUntil(healthy)
	})

	It("has failed when its time is over, and recovers", func() {
		installed()
		later(11 * time.Minute)
		_, err := b.reconcileInstance()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.conditionStatus(v1alpha1.ConditionReady) + ", " + b.conditionStatus(v1alpha1.ConditionHealthy)).To(Equal(late))
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True TimedOut"))
		b.expectNoWrites()
		b.setWorkloadReady(false)
		Consistently(func() string {
			_, _ = b.reconcileInstance()
			return b.conditionStatus(v1alpha1.ConditionStalled)
		}).WithTimeout(200*time.Millisecond).Should(Equal("True TimedOut"), "it has no further time")
		b.setWorkloadReady(true)
		b.reconcileUntil(healthy)
		b.expectNoWrites()
		Expect(b.releaseRevision("mine")).To(Equal(1), "Helm was not called for it")
	})

	It("has its whole time after it waited for something else", func() {
		before := b.App.DeepCopy()
		b.App.Status.Versions = nil
		Expect(server.Client.Status().Update(b.ctx, b.App)).To(Succeed())
		b.createInstance()
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForApp"))
		later(time.Hour)
		b.App.Status = before.Status
		Expect(server.Client.Status().Update(b.ctx, b.App)).To(Succeed())
		result, err := b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForObjects"))
		Expect(result.RequeueAfter).To(BeNumerically(">", 9*time.Minute))
	})

	It("has its time again after the next operation", func() {
		installed()
		later(11 * time.Minute)
		_, err := b.reconcileInstance()
		Expect(err).To(HaveOccurred())
		b.PublishVersion("1.1.0", workloadFiles())
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = "1.1.0" })
		_, err = b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForObjects"))
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(BeEmpty())
	})

	It("fails at once when an object cannot become ready without a change", func() {
		content := workloadFiles()
		content["templates/job.yaml"] = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'images.example.com/a:1'}]}}}\n"
		b.PublishVersion("1.0.0", content)
		b.createInstance()
		_, err := b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
		failJob(b, "once")
		_, err = b.reconcileUntil("False Unhealthy, False Unhealthy")
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(HavePrefix("version 1.0.0, 0 of 2 objects ready: Job/once: "))
		Expect(b.instance.Status.Inventory.Unready).To(HaveExactElements(
			And(HaveField("Object.Name", "once"), HaveField("Status", v1alpha1.ObjectFailed)),
			And(HaveField("Object.Name", "mine"), HaveField("Status", v1alpha1.ObjectInProgress))))
		b.expectNoWrites()
	})

	It("writes nothing after a restart while nothing changed", func() {
		installed()
		b.setWorkloadReady(true)
		b.reconcileUntil(healthy)
		b.restartReconciler()
		b.writes.Take()
		Eventually(func(g Gomega) {
			_, err := b.reconcileInstance()
			g.Expect(err).NotTo(HaveOccurred())
			known, _, err := monitoredHealth(b)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(known).To(BeTrue())
		}).Should(Succeed())
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.writes.Take()).To(BeEmpty())
	})

	It("is not called ready by what was seen before an upgrade", func() {
		b.App.Status.Versions = nil
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "^1" })
		b.expectReady("1.0.0", 1)
		b.PublishVersion("1.1.0", workloadFiles())
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.instance.Status.Version).To(Equal("1.1.0"))
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForObjects"))
		Expect(meta.IsStatusConditionTrue(b.instance.Status.Conditions, v1alpha1.ConditionHealthy)).To(BeFalse())
		_, err = b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
		b.setWorkloadReady(true)
		b.reconcileUntil(healthy)
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(HavePrefix("running version 1.1.0"))
	})
})
