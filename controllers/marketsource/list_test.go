package marketsource_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A source is asked", func() {
	var b *bench
	BeforeEach(func() {
		b = newBench()
		b.offer("web", "1.0.0")
		b.offer("blog", "2.0.0")
	})

	It("for all it has at first, and once", func() {
		result := b.succeeds()
		Expect(b.requests()).To(Equal([]string{"200"}))
		Expect(b.condition(v1alpha1.ConditionReached)).To(Equal("True Reached"))
		Expect(b.condition(v1alpha1.ConditionIndexed)).To(Equal("True Indexed"))
		Expect(b.message(v1alpha1.ConditionIndexed)).To(Equal("2 apps offered"))
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("Unknown WaitingForApp"))
		Expect(result.RequeueAfter).To(Equal(5 * time.Second))
		b.succeeds()
		Expect(b.requests()).To(BeEmpty(), "while its apps are hydrated")
		b.quiet()
	})

	It("not again before its interval has passed", func() {
		b.synced()
		result := b.succeeds()
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 8*time.Minute), BeNumerically("<=", 11*time.Minute)))
		b.quiet()
	})

	It("what is new when its interval has passed", func() {
		b.synced()
		when := b.source.Status.LastSyncTime
		b.succeeds("1ns")
		Expect(b.requests()).To(Equal([]string{"304"}))
		Expect(b.writes.Take()).To(BeEmpty())
		b.offer("web", "1.1.0")
		b.succeeds("1ns")
		Expect(b.requests()).To(Equal([]string{"200"}))
		Expect(b.app("web").Spec.Offers).To(HaveLen(2))
		Expect(b.source.Status.LastSyncTime).NotTo(BeNil())
		Expect(b.source.Status.LastSyncTime.Before(when)).To(BeFalse())
	})

	It("what is new when somebody asks, once for each time", func() {
		b.synced()
		for _, when := range []string{"now", "again"} {
			b.ask(when)
			b.succeeds()
			Expect(b.requests()).To(Equal([]string{"304"}))
			Expect(b.source.Status.LastHandledReconcileAt).To(Equal(when))
			b.quiet()
		}
	})

	It("with the validator of its last answer, which needs no write", func() {
		b.synced()
		b.retag("second")
		b.succeeds("1ns")
		Expect(b.requests()).To(Equal([]string{"200"}))
		b.succeeds("1ns")
		Expect(b.requests()).To(Equal([]string{"304"}))
		Expect(b.writes.Take()).To(BeEmpty())
	})

	It("what is new when the operator has started again", func() {
		b.synced()
		b.restart()
		b.succeeds()
		Expect(b.requests()).To(Equal([]string{"304"}))
		Expect(b.writes.Take()).To(BeEmpty())
		b.quiet()
	})

	It("for all it has when its spec has changed", func() {
		b.synced()
		b.edit(func(s *v1alpha1.MarketSource) { s.Spec.Exclude = []string{"blog"} })
		b.succeeds()
		Expect(b.requests()).To(Equal([]string{"200"}))
		Expect(b.apps()).To(Equal([]string{"web"}))
		b.succeeds()
		Expect(b.requests()).To(BeEmpty(), "once")
	})

	It("not at all while it is suspended", func() {
		b.edit(func(s *v1alpha1.MarketSource) { s.Spec.Suspend = new(true) })
		result := b.succeeds()
		Expect(result.RequeueAfter).To(BeZero())
		Expect(b.requests()).To(BeEmpty())
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("Unknown Suspended"))
		b.quiet()
		b.edit(func(s *v1alpha1.MarketSource) { s.Spec.Suspend = nil })
		b.synced()
	})

	It("not while it is suspended, and its apps stay", func() {
		b.synced()
		b.edit(func(s *v1alpha1.MarketSource) { s.Spec.Suspend = new(true) })
		b.drop("blog")
		b.succeeds("1ns")
		Expect(b.requests()).To(BeEmpty())
		Expect(b.apps()).To(Equal([]string{"blog", "web"}))
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		b.quiet()
	})
})
