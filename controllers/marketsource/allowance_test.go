package marketsource_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A namespace that may have three apps", func() {
	var b *marketFixture
	BeforeEach(func() {
		b = newMarketFixture()
		b.reconciler.MaxApps = 3
		server.Create(GinkgoTB(), &v1alpha1.AppInfo{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.source.Namespace, Name: "other.app", Labels: map[string]string{v1alpha1.SourceLabel: "other"}},
			Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "other"}, App: "app"},
		})
		b.addVersions("one", "1.0.0")
		b.addVersions("two", "1.0.0")
	})

	It("gets no more apps of a source, and keeps those it has", func() {
		b.expectSuccess()
		b.addVersions("three", "1.0.0")
		b.requestReconcile("now")
		_, err := b.reconcileSource()
		Expect(err).NotTo(HaveOccurred(), "it is reconciled again after its interval")
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True AllowanceExceeded"))
		Expect(b.conditionMessage(v1alpha1.ConditionStalled)).To(ContainSubstring("--namespace-apps"))
		Expect(b.appNames()).To(ConsistOf("app", "one", "two"))

		By("narrowing the source")
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Filter = &v1alpha1.AppFilter{Exclude: []string{"three"}} })
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(BeEmpty())
	})
})

var _ = Describe("A source that changes all its apps again and again", func() {
	It("has the changes written only as often as the operator allows", func() {
		b := newMarketFixture()
		clock := clocktesting.NewFakePassiveClock(time.Now())
		b.reconciler.MaxApps, b.reconciler.Clock = 5, clock
		change := func(version string) {
			for i := range 5 {
				b.addVersions(fmt.Sprintf("app-%d", i), version)
			}
			b.requestReconcile(version)
		}
		change("1.0.0")
		b.syncAndServe()
		change("1.1.0")
		result := b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForTurn"))
		Expect(result.RequeueAfter).To(BeNumerically(">", 0))
		Expect(b.getApp("app-1").Spec.Offers).To(HaveLen(1), "nothing of it was written")
		Expect(b.source.Status.Attempt).To(BeNil())

		By("waiting until the writes are available again")
		clock.SetTime(clock.Now().Add(time.Second))
		Eventually(func() []v1alpha1.Offer {
			b.expectSuccess()
			return b.getApp("app-1").Spec.Offers
		}).Should(HaveLen(2))
	})
})
