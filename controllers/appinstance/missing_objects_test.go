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
	const gone = "False Unhealthy, False Unhealthy"
	var b *instanceFixture
	BeforeEach(func() {
		b = newInstanceFixture()
	})

	It("says so at once, and a request brings them back", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance()
		b.expectReady("1.0.0", 1)
		page := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine-page"}}
		Expect(server.Client.Delete(b.ctx, page)).To(Succeed())
		_, err := b.reconcileUntil(gone)
		Expect(err).To(HaveOccurred())
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("version 1.0.0, 0 of 1 objects ready: ConfigMap/mine-page is gone; " +
			"change the annotation appmarket.io/reconcile-requested-at or set spec.driftPolicy to Correct to restore the missing objects"))
		b.expectNoWrites()
		Expect(b.releaseRevision("mine")).To(Equal(1), "nothing is restored without a request")

		b.requestReconcile("now")
		b.expectReady("1.0.0", 2)
		Expect(b.configMapData()).NotTo(BeEmpty())
	})

	It("is restored although its objects could not be watched when that was requested", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance()
		b.expectReady("1.0.0", 1)
		page := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine-page"}}
		Expect(server.Client.Delete(b.ctx, page)).To(Succeed())
		_, err := b.reconcileUntil(gone)
		Expect(err).To(HaveOccurred())

		b.reconciler.Monitor = &untrackedMonitor{Monitor: b.reconciler.Monitor, fails: 1}
		b.requestReconcile("now")
		_, err = b.reconcileInstance()
		Expect(err).To(MatchError(ContainSubstring("connection refused")))
		Expect(b.instance.Status.LastHandledReconcileAt).NotTo(Equal("now"))
		b.expectReady("1.0.0", 2)
	})

	It("is installed again on request after the release was removed with helm", func() {
		b.PublishVersion("1.0.0", workloadFiles())
		b.createInstance()
		_, err := b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
		b.setWorkloadReady(true)
		b.reconcileUntil("True Ready, True Healthy")
		removeRelease(b)
		_, err = b.reconcileUntil(gone)
		Expect(err).To(HaveOccurred())

		b.requestReconcile("now")
		_, err = b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		b.setWorkloadReady(true)
		b.reconcileUntil("True Ready, True Healthy")
		Expect(b.releaseRevision("mine")).To(Equal(1))
		Expect(b.historySummary()).To(Equal([]string{"Upgrade 1.0.0 Succeeded", "Install 1.0.0 Succeeded"}))
	})

	It("is not in need of them while it is stopped", func() {
		content := workloadFiles()
		content["templates/page.yaml"] = configMapTemplate
		b.PublishVersion("1.0.0", content)
		b.createInstance()
		_, err := b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateStopped })
		_, err = b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		web := &appsv1.Deployment{}
		Expect(server.Client.Get(b.ctx, client.ObjectKey{Namespace: b.instance.Namespace, Name: "mine"}, web)).To(Succeed())
		web.Status = appsv1.DeploymentStatus{ObservedGeneration: web.Generation, Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		}}
		Expect(server.Client.Status().Update(b.ctx, web)).To(Succeed())
		b.reconcileUntil("True Stopped, True Stopped")
		Expect(server.Client.Delete(b.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine-page"}})).To(Succeed())
		b.expectNoWrites()
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("stopped at version 1.0.0"))
	})
})

var _ = Describe("A failed instance", func() {
	var b *instanceFixture
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", workloadFiles())
		b.createInstance()
		_, err := b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
	})
	refuse := func(change func(*fakeHelmClient)) { b.setFakeHelmClient(change) }
	broken := func() error { return stalledError(v1alpha1.ReasonUpgradeFailed) }

	DescribeTable("carries out the same again on request", func(reason string, change func(*fakeHelmClient), edit func(*v1alpha1.AppInstanceSpec)) {
		refuse(change)
		b.editInstance(func(i *v1alpha1.AppInstance) { edit(&i.Spec) })
		_, err := b.reconcileInstance()
		Expect(err).To(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True " + reason))
		tries := len(b.instance.Status.History)
		b.setFakeHelmClient()
		b.waitForObservation()
		b.expectNoWrites()
		Expect(b.instance.Status.History).To(HaveLen(tries), "not without a request")

		b.editInstance(func(i *v1alpha1.AppInstance) { i.Annotations = taskAnnotations("again", "h2", "2") })
		_, err = b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.instance.Status.History[0].Outcome).To(Equal(v1alpha1.OutcomeSucceeded))
		Expect(b.instance.Status.History[0].Operation.Task).To(Equal("again"))
		Expect(b.instance.Status.History[0].Operation.Request).To(Equal("2"))
	},
		Entry("an upgrade", v1alpha1.ReasonUpgradeFailed, func(f *fakeHelmClient) { f.upgrade = broken },
			func(spec *v1alpha1.AppInstanceSpec) { spec.Values = valuesWithColor("red") }),
		Entry("a stop", v1alpha1.ReasonStopFailed, func(f *fakeHelmClient) { f.stop = func() error { return stalledError(v1alpha1.ReasonStopFailed) } },
			func(spec *v1alpha1.AppInstanceSpec) { spec.DesiredState = v1alpha1.StateStopped }),
		Entry("a removal", v1alpha1.ReasonUninstallFailed, func(f *fakeHelmClient) { f.get = func() error { return stalledError(v1alpha1.ReasonUninstallFailed) } },
			func(spec *v1alpha1.AppInstanceSpec) { spec.DesiredState = v1alpha1.StateUninstalled }),
	)
})

var _ = Describe("Who asked for an operation", func() {
	It("is the task only while the spec is what the task wrote", func() {
		b := newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.instance.Annotations = taskAnnotations("install", "h1", "1")
		b.createInstance()
		b.expectReady("1.0.0", 1)
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = valuesWithColor("red") })
		b.expectReady("1.0.0", 2)
		b.editInstance(func(i *v1alpha1.AppInstance) {
			i.Annotations = taskAnnotations("upgrade", "h2", "2")
			i.Spec.Values = valuesWithColor("blue")
		})
		b.expectReady("1.0.0", 3)
		Expect(server.Client.Delete(b.ctx, b.instance)).To(Succeed())
		b.setFakeHelmClient(func(f *fakeHelmClient) { f.get = func() error { return stalledError(v1alpha1.ReasonUninstallFailed) } })
		for range 3 {
			_, err := b.reconcileInstance()
			Expect(err).To(HaveOccurred())
		}
		history := b.instance.Status.History
		var tasks []string
		for _, entry := range history {
			tasks = append(tasks, entry.Operation.Task)
		}
		Expect(tasks).To(Equal([]string{"", "upgrade", "", "install"}))
		Expect(history[0].Count).To(Equal(int32(3)), "retries of the removal are one entry")
		b.setFakeHelmClient()
		_, err := b.reconciler.Reconcile(b.ctx, b.instance)
		Expect(err).NotTo(HaveOccurred())
	})
})

var _ = Describe("A revision to go back to", func() {
	It("carries out a rollback again that failed before, on request", func() {
		b := newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance()
		b.expectReady("1.0.0", 1)
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = valuesWithColor("red") })
		b.expectReady("1.0.0", 2)
		b.setFakeHelmClient(func(f *fakeHelmClient) {
			f.rollback = func() error { return stalledError(v1alpha1.ReasonRollbackFailed) }
		})
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.PinnedRevision = 1 })
		_, err := b.reconcileInstance()
		Expect(err).To(HaveOccurred())
		b.setFakeHelmClient()
		b.expectNoWrites()
		b.requestReconcile("now")
		b.expectReady("1.0.0", 3)
	})

	It("is refused before anything is changed if Helm has removed it, and what runs is still ready", func() {
		b := newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.RevisionHistoryLimit = 1 })
		b.expectReady("1.0.0", 1)
		for at, color := range []string{"red", "blue"} {
			b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = valuesWithColor(color) })
			b.expectReady("1.0.0", at+2)
		}
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.PinnedRevision = 1 })
		b.expectUnresolved(v1alpha1.ReasonRevisionNotFound)
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(b.conditionMessage(v1alpha1.ConditionResolved)).To(ContainSubstring("revision 1 cannot be restored because its record of Helm release"))
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "blue"))
	})
})

// removeRelease deletes the release and its record, as helm uninstall does.
func removeRelease(b *instanceFixture) {
	GinkgoHelper()
	own := metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine"}
	Expect(server.Client.Delete(b.ctx, &appsv1.Deployment{ObjectMeta: own})).To(Succeed())
	own.Name = "sh.helm.release.v1.mine.v1"
	Expect(server.Client.Delete(b.ctx, &corev1.Secret{ObjectMeta: own})).To(Succeed())
}
