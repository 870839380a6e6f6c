package marketsource_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/marketsource"
)

var _ = Describe("A panic in a phase", func() {
	It("is a failure of the source", func() {
		b := newMarketFixture()
		b.reconciler.Open = func(context.Context, *v1alpha1.MarketSource) (marketsource.Lister, error) { panic("no lister") }
		_, err := b.reconcileSource()
		Expect(err).To(HaveOccurred(), "it is tried again")
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False ProgressingWithRetry"))
	})
})
