package marketsource_test

import (
	"context"
	"fmt"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/marketsource"
	"github.com/appmarket/operator/hydrate"
)

// observedLister is a lister that calls a function after each listing.
type observedLister struct {
	marketsource.Lister
	seen func()
}

func (w observedLister) List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error) {
	listing, err := w.Lister.List(ctx, since)
	w.seen()
	return listing, err
}

var _ = Describe("A source that is read", func() {
	var b *marketFixture
	BeforeEach(func() {
		b = newMarketFixture()
		b.addVersions("web", "1.0.0")
	})

	// killed sets the status that remains when the process is killed while it reads the
	// source, and starts another process.
	killed := func() {
		GinkgoHelper()
		var left *v1alpha1.Attempt
		b.reconciler.Open = func(ctx context.Context, of *v1alpha1.MarketSource) (marketsource.Lister, error) {
			lister, err := b.openLister(ctx, of)
			return observedLister{lister, func() {
				b.readSource()
				left = b.source.Status.Attempt
			}}, err
		}
		_, _ = b.reconcileSource()
		Expect(left).NotTo(BeNil(), "nothing was noted before it was read")
		b.editStatus(func(st *v1alpha1.MarketSourceStatus) {
			st.Attempt = left
			st.Revision, st.ETag = "", ""
		})
		b.restartReconciler()
	}

	It("notes that, until there is a result", func() {
		killed()
		Expect(b.source.Status.Attempt.Starts).To(BeEquivalentTo(1))
		b.expectSuccess()
		Expect(b.source.Status.Attempt).To(BeNil())
	})

	It("is not read a fourth time when it ended the process three times", func() {
		for n := range int32(3) {
			killed()
			Expect(b.source.Status.Attempt.Starts).To(Equal(n + 1))
		}
		_, err := b.reconcileSource()
		Expect(err).NotTo(HaveOccurred(), "it is reconciled again after its interval")
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True Interrupted"))
		Expect(b.source.Status.Attempt.Starts).To(BeEquivalentTo(3))

		By("asking")
		b.requestReconcile("again")
		b.expectSuccess()
		Expect(b.source.Status.Attempt).To(BeNil())
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(BeEmpty())
	})

	It("is read again when it has another answer", func() {
		for range 3 {
			killed()
		}
		b.addVersions("web", "2.0.0")
		b.expectSuccess()
		Expect(b.source.Status.Attempt).To(BeNil())
	})

	It("is read again when it has another answer, later in the same process", func() {
		for range 3 {
			killed()
		}
		_, err := b.reconcileSource("1ns")
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True Interrupted"))
		b.addVersions("web", "2.0.0")
		b.expectSuccess("1ns")
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(BeEmpty())
		Expect(b.source.Status.Attempt).To(BeNil())
	})

	It("has been read before its apps are written, which takes long where they are many", func() {
		for i := range 30 {
			b.addVersions(fmt.Sprint("app-", i), "1.0.0")
		}
		var written, noted atomic.Int32
		b.reconciler.Client = interceptor.NewClient(b.client, interceptor.Funcs{
			Apply: func(ctx context.Context, c client.WithWatch, app runtime.ApplyConfiguration, options ...client.ApplyOption) error {
				source := &v1alpha1.MarketSource{}
				if err := c.Get(ctx, client.ObjectKeyFromObject(b.source), source); err != nil {
					return err
				}
				if written.Add(1); source.Status.Attempt != nil {
					noted.Add(1)
				}
				return c.Apply(ctx, app, options...)
			},
		})
		b.expectSuccess()
		Expect(written.Load()).To(BeEquivalentTo(31))
		Expect(noted.Load()).To(BeZero())
	})

	It("is read again with another spec", func() {
		for range 3 {
			killed()
		}
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Filter = &v1alpha1.AppFilter{Exclude: []string{"nothing"}} })
		b.expectSuccess()
		Expect(b.source.Status.Attempt).To(BeNil())
	})

	It("does not count an end of the process in good order", func() {
		ctx, cancel := context.WithCancel(b.ctx)
		b.reconciler.Open = func(ctx context.Context, of *v1alpha1.MarketSource) (marketsource.Lister, error) {
			lister, err := b.openLister(ctx, of)
			return observedLister{lister, cancel}, err
		}
		b.readSource()
		_, err := b.reconciler.Reconcile(ctx, b.source)
		Expect(err).To(HaveOccurred())
		b.readSource()
		Expect(b.source.Status.Attempt).To(BeNil())
	})
})
