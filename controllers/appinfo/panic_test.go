package appinfo_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
)

// panicking is a step that panics.
type panicking struct{}

func (panicking) Name() hydrate.Name { return hydrate.StepSourceChart }

func (panicking) Apply(context.Context, *hydrate.Draft) error { panic("no chart") }

var _ = Describe("A panic", func() {
	var b *appFixture
	BeforeEach(func() {
		b = newAppFixture()
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
	})

	It("in a phase is a failure of the app", func() {
		b.reconciler.Open = func(context.Context, *v1alpha1.MarketSource) (hydrate.Fetcher, error) { panic("no fetcher") }
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred(), "it is tried again")
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False ProgressingWithRetry"))
	})

	It("in a step is a failure of the version, at the step's condition", func() {
		b.reconciler.Pipeline.Steps[0] = panicking{}
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred(), "it is tried again")
		Expect(b.conditionStatus(v1alpha1.ConditionFetched)).To(Equal("False ProgressingWithRetry"))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False ProgressingWithRetry"))
	})
})
