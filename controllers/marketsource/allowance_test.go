package marketsource_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A namespace that may have three apps", func() {
	var b *bench
	BeforeEach(func() {
		b = newBench()
		b.reconciler.MaxApps = 3
		server.Create(GinkgoTB(), &v1alpha1.AppInfo{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.source.Namespace, Name: "other.app", Labels: map[string]string{v1alpha1.SourceLabel: "other"}},
			Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "other"}, App: "app"},
		})
		b.offer("one", "1.0.0")
		b.offer("two", "1.0.0")
	})

	It("gets no more apps of a source, and keeps those it has", func() {
		b.succeeds()
		b.offer("three", "1.0.0")
		b.ask("now")
		_, err := b.reconcile()
		Expect(err).NotTo(HaveOccurred(), "it is looked at again after its interval")
		Expect(b.condition(v1alpha1.ConditionStalled)).To(Equal("True AllowanceExceeded"))
		Expect(b.message(v1alpha1.ConditionStalled)).To(ContainSubstring("--namespace-apps"))
		Expect(b.apps()).To(ConsistOf("app", "one", "two"))

		By("narrowing the source")
		b.edit(func(s *v1alpha1.MarketSource) { s.Spec.Exclude = []string{"three"} })
		b.succeeds()
		Expect(b.condition(v1alpha1.ConditionStalled)).To(BeEmpty())
	})
})

var _ = Describe("A source that changes all its apps again and again", func() {
	It("has the changes written only as often as the operator allows", func() {
		b := newBench()
		b.reconciler.MaxApps = 45
		change := func(version string) {
			for i := range 40 {
				b.offer(fmt.Sprintf("app-%d", i), version)
			}
			b.ask(version)
		}
		change("1.0.0")
		b.synced()
		change("1.1.0")
		result := b.succeeds()
		Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForTurn"))
		Expect(result.RequeueAfter).To(BeNumerically(">", 0))
		Expect(b.app("app-1").Spec.Offers).To(HaveLen(1), "nothing of it was written")
		Expect(b.source.Status.Attempt).To(BeNil())
	})
})
