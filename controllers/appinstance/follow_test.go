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
	var b *bench
	BeforeEach(func() {
		b = newBench()
		b.publish("1.0.0", workloads())
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
		b.create()
		result, err := b.looked()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForObjects"))
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 9*time.Minute), BeNumerically("<=", 10*time.Minute+time.Second)), "it is looked at again when its time is over")
	}

	It("waits for its objects, and says which", func() {
		installed()
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("Unknown WaitingForObjects"))
		Expect(b.says(v1alpha1.ConditionReconciling)).To(HavePrefix("0 of 1 objects ready: Deployment/mine: "))
		Expect(b.instance.Status.Inventory.Ready).To(BeZero())
		b.quiet()
	})

	It("is ready when they are, and for as long as they are", func() {
		installed()
		b.ready(true)
		b.becomes(healthy)
		Expect(b.instance.Status.Inventory.Ready).To(Equal(int32(1)))
		b.quiet()
		b.ready(false)
		result, err := b.becomes(waiting)
		Expect(err).NotTo(HaveOccurred())
		Expect(b.says(v1alpha1.ConditionReady)).To(HavePrefix("version 1.0.0, 0 of 1 objects ready: Deployment/mine: "))
		Expect(result.RequeueAfter).To(BeNumerically(">", 9*time.Minute), "counted from now on")
		Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForObjects"))
		b.quiet()
		b.ready(true)
		b.becomes(healthy)
	})

	It("has failed when its time is over, and recovers", func() {
		installed()
		later(11 * time.Minute)
		_, err := b.reconcile()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.condition(v1alpha1.ConditionReady) + ", " + b.condition(v1alpha1.ConditionHealthy)).To(Equal(late))
		Expect(b.condition(v1alpha1.ConditionStalled)).To(Equal("True TimedOut"))
		b.quiet()
		b.ready(false)
		Consistently(func() string {
			_, _ = b.reconcile()
			return b.condition(v1alpha1.ConditionStalled)
		}).WithTimeout(200*time.Millisecond).Should(Equal("True TimedOut"), "it has no further time")
		b.ready(true)
		b.becomes(healthy)
		b.quiet()
		Expect(b.revision("mine")).To(Equal(1), "Helm was not called for it")
	})

	It("has its whole time after it waited for something else", func() {
		before := b.app.DeepCopy()
		b.app.Status.Versions = nil
		Expect(server.Client.Status().Update(b.ctx, b.app)).To(Succeed())
		b.create()
		_, err := b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForApp"))
		later(time.Hour)
		b.app.Status = before.Status
		Expect(server.Client.Status().Update(b.ctx, b.app)).To(Succeed())
		result, err := b.looked()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForObjects"))
		Expect(result.RequeueAfter).To(BeNumerically(">", 9*time.Minute))
	})

	It("has its time again after the next operation", func() {
		installed()
		later(11 * time.Minute)
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred())
		b.publish("1.1.0", workloads())
		b.edit(func(i *v1alpha1.AppInstance) { i.Spec.Version = "1.1.0" })
		_, err = b.looked()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForObjects"))
		Expect(b.condition(v1alpha1.ConditionStalled)).To(BeEmpty())
	})

	It("has failed at once when an object will not become ready by itself", func() {
		content := workloads()
		content["templates/job.yaml"] = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'images.example.com/a:1'}]}}}\n"
		b.publish("1.0.0", content)
		b.create()
		_, err := b.looked()
		Expect(err).NotTo(HaveOccurred())
		failJob(b, "once")
		_, err = b.becomes("False NotHealthy, False NotHealthy")
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.says(v1alpha1.ConditionReady)).To(HavePrefix("version 1.0.0, 0 of 2 objects ready: Job/once: "))
		b.quiet()
	})

	It("writes nothing after a restart while nothing changed", func() {
		installed()
		b.ready(true)
		b.becomes(healthy)
		b.restart()
		b.writes.Take()
		Eventually(func(g Gomega) {
			_, err := b.reconcile()
			g.Expect(err).NotTo(HaveOccurred())
			known, _, err := known(b)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(known).To(BeTrue())
		}).Should(Succeed())
		_, err := b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.writes.Take()).To(BeEmpty())
	})

	It("is not called ready by what was seen before an upgrade", func() {
		b.app.Status.Versions = nil
		b.publish("1.0.0", pages())
		b.create(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "^1" })
		b.runs("1.0.0", 1)
		b.publish("1.1.0", workloads())
		_, err := b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.instance.Status.Version).To(Equal("1.1.0"))
		Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForObjects"))
		Expect(meta.IsStatusConditionTrue(b.instance.Status.Conditions, v1alpha1.ConditionHealthy)).To(BeFalse())
		_, err = b.looked()
		Expect(err).NotTo(HaveOccurred())
		b.ready(true)
		b.becomes(healthy)
		Expect(b.says(v1alpha1.ConditionReady)).To(HavePrefix("running version 1.1.0"))
	})
})
