package appinstance_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
)

var _ = Describe("A suspended instance", func() {
	var b *instanceFixture
	BeforeEach(func() { b = newInstanceFixture() })

	suspend := func(is bool) {
		GinkgoHelper()
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Suspend = &is })
	}
	// expectSuspended reconciles the instance, for which nothing waits.
	expectSuspended := func(ready string) {
		GinkgoHelper()
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal(ready))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(HavePrefix("suspended by spec.suspend"))
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(BeEmpty())
		Expect(b.instance.Status.ObservedGeneration).To(Equal(b.instance.Generation))
		b.expectNoWrites()
	}

	It("is installed when it is not suspended any more", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Suspend = new(true) })
		expectSuspended("Unknown Suspended")
		Expect(b.instance.Status.Releases).To(BeEmpty())
		suspend(false)
		b.expectReady("1.0.0", 1)
	})

	It("is neither changed, stopped, restarted nor removed until then", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		b.PublishVersion("1.1.0", configMapFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "1.0.0" })
		b.expectReady("1.0.0", 1)
		for _, edit := range []func(*v1alpha1.AppInstanceSpec){
			func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "1.1.0" },
			func(spec *v1alpha1.AppInstanceSpec) { spec.DesiredState = v1alpha1.StateStopped },
			func(spec *v1alpha1.AppInstanceSpec) { spec.DesiredState = v1alpha1.StateUninstalled },
		} {
			b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Suspend = new(true); edit(&i.Spec) })
			expectSuspended("True Ready")
			Expect(b.historySummary()).To(Equal([]string{"Install 1.0.0 Succeeded"}))
		}
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Suspend, i.Spec.DesiredState = nil, v1alpha1.StateRunning })
		b.expectReady("1.1.0", 2)
	})

	It("keeps its drift until then", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) {
			spec.DriftPolicy, spec.Values = v1alpha1.DriftCorrect, valuesWithColor("green")
		})
		b.expectReady("1.0.0", 1)
		suspend(true)
		expectSuspended("True Ready")
		digest := func() string {
			GinkgoHelper()
			known, _, err := b.reconciler.Monitor.Digest(b.ctx, client.ObjectKeyFromObject(b.instance))
			Expect(err).NotTo(HaveOccurred())
			return known
		}
		before := digest()
		page := &corev1.ConfigMap{}
		Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: "mine-page"}, page)).To(Succeed())
		page.Data["color"] = "red"
		Expect(server.Client.Update(b.ctx, page)).To(Succeed())
		Eventually(digest).WithTimeout(20*time.Second).ShouldNot(Equal(before), "the monitor observes the change")
		expectSuspended("True Ready")
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "red"))
		suspend(false)
		Eventually(func() map[string]string {
			_, _ = b.reconcileInstance()
			return b.configMapData()
		}).WithTimeout(20 * time.Second).Should(HaveKeyWithValue("color", "green"))
	})

	Context("with a workload", func() {
		BeforeEach(func() {
			b.PublishVersion("1.0.0", workloadFiles())
			b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "1.0.0" })
			_, _ = b.reconcileUntilObserved() // it waits for its Pods
		})

		It("reports its health", func() {
			suspend(true)
			expectSuspended("Unknown Suspended")
			Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(ContainSubstring("0 of 1 objects ready"))
			for range 2 {
				b.setWorkloadReady(true)
				_, err := b.reconcileUntil("True Ready, True Healthy")
				Expect(err).NotTo(HaveOccurred())
				expectSuspended("True Ready")
				Expect(transitions.StateOf(b.instance)).To(Equal(transitions.Running))
				b.setWorkloadReady(false)
				_, err = b.reconcileUntil("Unknown Suspended, ")
				Expect(err).NotTo(HaveOccurred())
				expectSuspended("Unknown Suspended")
			}
		})

		It("keeps the failure of its last operation", func() {
			b.setWorkloadReady(true)
			_, err := b.reconcileUntil("True Ready, True Healthy")
			Expect(err).NotTo(HaveOccurred())
			b.setFakeHelmClient(func(f *fakeHelmClient) {
				f.upgrade = func() error { return stalledError(v1alpha1.ReasonUpgradeFailed) }
			})
			b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = valuesWithColor("red") })
			_, err = b.reconcileInstance()
			Expect(err).To(HaveOccurred())
			b.setFakeHelmClient()
			suspend(true)
			_, err = b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True UpgradeFailed"))
			Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False UpgradeFailed"))
			b.expectNoWrites()
		})

		It("is deleted with its releases", func() {
			suspend(true)
			expectSuspended("Unknown Suspended")
			Expect(server.Client.Delete(b.ctx, b.instance)).To(Succeed())
			b.readInstance()
			_, err := b.reconciler.Reconcile(b.ctx, b.instance)
			Expect(err).NotTo(HaveOccurred())
			Expect(b.releaseRevision("mine")).To(BeZero())
			Expect(server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.instance), b.instance)).To(Satisfy(apierrors.IsNotFound))
		})
	})
})
