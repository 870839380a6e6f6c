package appinstance_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("An instance whose objects are gone", func() {
	const gone = "False NotHealthy, False NotHealthy"
	var b *bench
	BeforeEach(func() {
		b = newBench()
	})

	It("says so at once, and a request brings them back", func() {
		b.publish("1.0.0", pages())
		b.create()
		b.runs("1.0.0", 1)
		page := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine-page"}}
		Expect(server.Client.Delete(b.ctx, page)).To(Succeed())
		_, err := b.becomes(gone)
		Expect(err).To(HaveOccurred())
		Expect(b.says(v1alpha1.ConditionReady)).To(Equal("version 1.0.0, 0 of 1 objects ready: ConfigMap/mine-page is gone; " +
			"to restore what is gone, set the annotation appmarket.io/reconcile-requested-at to another value, or spec.driftPolicy to Correct"))
		b.quiet()
		Expect(b.revision("mine")).To(Equal(1), "nothing is restored by itself")

		b.ask("now")
		b.runs("1.0.0", 2)
		Expect(b.page()).NotTo(BeEmpty())
	})

	It("is installed again on request after the release was removed with helm", func() {
		b.publish("1.0.0", workloads())
		b.create()
		_, err := b.looked()
		Expect(err).NotTo(HaveOccurred())
		b.ready(true)
		b.becomes("True Ready, True Healthy")
		removeRelease(b)
		_, err = b.becomes(gone)
		Expect(err).To(HaveOccurred())

		b.ask("now")
		_, err = b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		b.ready(true)
		b.becomes("True Ready, True Healthy")
		Expect(b.revision("mine")).To(Equal(1))
		Expect(b.outcomes()).To(Equal([]string{"Upgrade 1.0.0 Succeeded", "Install 1.0.0 Succeeded"}))
	})

	It("is not in need of them while it is stopped", func() {
		content := workloads()
		content["templates/page.yaml"] = page
		b.publish("1.0.0", content)
		b.create()
		_, err := b.looked()
		Expect(err).NotTo(HaveOccurred())
		b.edit(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateStopped })
		_, err = b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		web := &appsv1.Deployment{}
		Expect(server.Client.Get(b.ctx, client.ObjectKey{Namespace: b.instance.Namespace, Name: "mine"}, web)).To(Succeed())
		web.Status = appsv1.DeploymentStatus{ObservedGeneration: web.Generation, Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		}}
		Expect(server.Client.Status().Update(b.ctx, web)).To(Succeed())
		b.becomes("True Stopped, True Stopped")
		Expect(server.Client.Delete(b.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine-page"}})).To(Succeed())
		b.quiet()
		Expect(b.says(v1alpha1.ConditionReady)).To(Equal("stopped at version 1.0.0"))
	})
})

var _ = Describe("A failed instance", func() {
	var b *bench
	BeforeEach(func() {
		b = newBench()
		b.publish("1.0.0", workloads())
		b.create()
		_, err := b.looked()
		Expect(err).NotTo(HaveOccurred())
	})
	refuse := func(change func(*faulty)) { b.meddle(change) }
	broken := func() error { return stalledBy(v1alpha1.ReasonUpgradeFailed) }

	DescribeTable("carries out the same again on request", func(reason string, change func(*faulty), edit func(*v1alpha1.AppInstanceSpec)) {
		refuse(change)
		b.edit(func(i *v1alpha1.AppInstance) { edit(&i.Spec) })
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionStalled)).To(Equal("True " + reason))
		tries := len(b.instance.Status.History)
		b.meddle()
		b.quiet()
		Expect(b.instance.Status.History).To(HaveLen(tries), "not by itself")

		b.edit(func(i *v1alpha1.AppInstance) { i.Annotations = written("again", "h2", "2") })
		_, err = b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.instance.Status.History[0].Outcome).To(Equal(v1alpha1.OutcomeSucceeded))
		Expect(b.instance.Status.History[0].Operation.Task).To(Equal("again"))
		Expect(b.instance.Status.History[0].Operation.Request).To(Equal("2"))
	},
		Entry("an upgrade", v1alpha1.ReasonUpgradeFailed, func(f *faulty) { f.upgrade = broken },
			func(spec *v1alpha1.AppInstanceSpec) { spec.Values = painted("red") }),
		Entry("a stop", v1alpha1.ReasonStopFailed, func(f *faulty) { f.stop = func() error { return stalledBy(v1alpha1.ReasonStopFailed) } },
			func(spec *v1alpha1.AppInstanceSpec) { spec.DesiredState = v1alpha1.StateStopped }),
		Entry("a removal", v1alpha1.ReasonUninstallFailed, func(f *faulty) { f.get = func() error { return stalledBy(v1alpha1.ReasonUninstallFailed) } },
			func(spec *v1alpha1.AppInstanceSpec) { spec.DesiredState = v1alpha1.StateAbsent }),
	)
})

var _ = Describe("Who asked for an operation", func() {
	It("is the task only while the spec is what the task wrote", func() {
		b := newBench()
		b.publish("1.0.0", pages())
		b.instance.Annotations = written("install", "h1", "1")
		b.create()
		b.runs("1.0.0", 1)
		b.edit(func(i *v1alpha1.AppInstance) { i.Spec.Values = painted("red") })
		b.runs("1.0.0", 2)
		b.edit(func(i *v1alpha1.AppInstance) {
			i.Annotations = written("upgrade", "h2", "2")
			i.Spec.Values = painted("blue")
		})
		b.runs("1.0.0", 3)
		Expect(server.Client.Delete(b.ctx, b.instance)).To(Succeed())
		b.meddle(func(f *faulty) { f.get = func() error { return stalledBy(v1alpha1.ReasonUninstallFailed) } })
		for range 3 {
			_, err := b.reconcile()
			Expect(err).To(HaveOccurred())
		}
		history := b.instance.Status.History
		var tasks []string
		for _, entry := range history {
			tasks = append(tasks, entry.Operation.Task)
		}
		Expect(tasks).To(Equal([]string{"", "upgrade", "", "install"}))
		Expect(history[0].Count).To(Equal(int32(3)), "retries of the removal are one entry")
		b.meddle()
		_, err := b.reconciler.Reconcile(b.ctx, b.instance)
		Expect(err).NotTo(HaveOccurred())
	})
})

var _ = Describe("A revision to go back to", func() {
	It("carries out a rollback again that failed before, on request", func() {
		b := newBench()
		b.publish("1.0.0", pages())
		b.create()
		b.runs("1.0.0", 1)
		b.edit(func(i *v1alpha1.AppInstance) { i.Spec.Values = painted("red") })
		b.runs("1.0.0", 2)
		b.meddle(func(f *faulty) { f.rollback = func() error { return stalledBy(v1alpha1.ReasonRollbackFailed) } })
		b.edit(func(i *v1alpha1.AppInstance) { i.Spec.Revision = 1 })
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred())
		b.meddle()
		b.quiet()
		b.ask("now")
		b.runs("1.0.0", 3)
	})

	It("is refused before anything is changed if Helm has removed it, and what runs is still ready", func() {
		b := newBench()
		b.publish("1.0.0", pages())
		b.create(func(spec *v1alpha1.AppInstanceSpec) { spec.History = 1 })
		b.runs("1.0.0", 1)
		for at, colour := range []string{"red", "blue"} {
			b.edit(func(i *v1alpha1.AppInstance) { i.Spec.Values = painted(colour) })
			b.runs("1.0.0", at+2)
		}
		b.edit(func(i *v1alpha1.AppInstance) { i.Spec.Revision = 1 })
		b.unresolved(v1alpha1.ReasonRevisionNotFound)
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(b.says(v1alpha1.ConditionResolved)).To(ContainSubstring("1 cannot be restored, since Helm has no record of it any more"))
		Expect(b.page()).To(HaveKeyWithValue("colour", "blue"))
	})
})

// removeRelease deletes the release and its record, as helm uninstall does.
func removeRelease(b *bench) {
	GinkgoHelper()
	own := metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine"}
	Expect(server.Client.Delete(b.ctx, &appsv1.Deployment{ObjectMeta: own})).To(Succeed())
	own.Name = "sh.helm.release.v1.mine.v1"
	Expect(server.Client.Delete(b.ctx, &corev1.Secret{ObjectMeta: own})).To(Succeed())
}
