package marketsource_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/market"
)

var _ = Describe("A source that asks to be shared", func() {
	var b *marketFixture
	sharedBy := func(from v1alpha1.FromNamespaces) {
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: from} })
	}
	BeforeEach(func() {
		b = newMarketFixture()
		b.addVersions("web", "1.0.0")
		sharedBy(v1alpha1.NamespacesFromAll)
	})

	It("outside of a market says that it has no effect, and serves its namespace", func() {
		b.syncAndServe()
		Expect(b.conditionStatus(v1alpha1.ConditionAllowedNamespacesIgnored)).To(Equal("True NotMarket"))
		Expect(b.conditionMessage(v1alpha1.ConditionAllowedNamespacesIgnored)).To(And(ContainSubstring(b.source.Namespace), ContainSubstring("--market-namespaces")))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		b.expectNoWrites()
		sharedBy(v1alpha1.NamespacesFromSame)
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionAllowedNamespacesIgnored)).To(BeEmpty())
	})

	It("in a market says nothing, also once its namespace became one", func() {
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionAllowedNamespacesIgnored)).To(Equal("True NotMarket"))
		b.restartReconciler()
		b.reconciler.Markets = market.Namespaces{b.source.Namespace}
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionAllowedNamespacesIgnored)).To(BeEmpty())
	})

	It("says so while it cannot be read, too", func() {
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Suspend = new(true) })
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionAllowedNamespacesIgnored)).To(Equal("True NotMarket"))
	})
})
