package marketsource_test

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A source is asked", func() {
	var b *marketFixture
	BeforeEach(func() {
		b = newMarketFixture()
		b.addVersions("web", "1.0.0")
		b.addVersions("blog", "2.0.0")
	})

	It("for all it has at first, and once", func() {
		result := b.expectSuccess()
		Expect(b.takeResponses()).To(Equal([]string{"200"}))
		Expect(b.conditionStatus(v1alpha1.ConditionReachable)).To(Equal("True Reachable"))
		Expect(b.conditionStatus(v1alpha1.ConditionIndexed)).To(Equal("True Indexed"))
		Expect(b.conditionMessage(v1alpha1.ConditionIndexed)).To(Equal("2 apps offered"))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("Unknown WaitingForApp"))
		Expect(result.RequeueAfter).To(Equal(5 * time.Second))
		b.expectSuccess()
		Expect(b.takeResponses()).To(BeEmpty(), "while its apps are hydrated")
		b.expectNoWrites()
	})

	It("not again before its interval has passed", func() {
		b.syncAndServe()
		result := b.expectSuccess()
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 8*time.Minute), BeNumerically("<=", 11*time.Minute)))
		b.expectNoWrites()
	})

	It("what is new when its interval has passed", func() {
		b.syncAndServe()
		when := b.source.Status.LastSyncTime
		b.expectSuccess("1ns")
		Expect(b.takeResponses()).To(Equal([]string{"304"}))
		Expect(b.writes.Take()).To(BeEmpty())
		b.addVersions("web", "1.1.0")
		b.expectSuccess("1ns")
		Expect(b.takeResponses()).To(Equal([]string{"200"}))
		Expect(b.getApp("web").Spec.Offers).To(HaveLen(2))
		Expect(b.source.Status.LastSyncTime).NotTo(BeNil())
		Expect(b.source.Status.LastSyncTime.Before(when)).To(BeFalse())
	})

	It("what is new when its origin has reported a change, once for each report", func() {
		b.syncAndServe()
		b.reconciler.RequestListing(client.ObjectKeyFromObject(b.source))
		b.expectSuccess()
		Expect(b.takeResponses()).To(Equal([]string{"304"}))
		b.expectSuccess()
		Expect(b.takeResponses()).To(BeEmpty())
	})

	It("what is new when a reconcile is requested, once for each request", func() {
		b.syncAndServe()
		for _, when := range []string{"now", "again"} {
			b.requestReconcile(when)
			b.expectSuccess()
			Expect(b.takeResponses()).To(Equal([]string{"304"}))
			Expect(b.source.Status.LastHandledReconcileAt).To(Equal(when))
			b.expectNoWrites()
		}
	})

	It("for all its versions when that is requested, until the request has succeeded", func() {
		isComplete := func() bool {
			GinkgoHelper()
			Expect(b.cursors).To(HaveLen(1))
			defer func() { b.cursors = nil }()
			return b.cursors[0].Complete
		}
		b.syncAndServe()
		b.cursors = nil
		b.expectSuccess("1ns")
		Expect(isComplete()).To(BeFalse(), "at its interval")
		b.requestReconcile("now")
		b.expectSuccess()
		Expect(isComplete()).To(BeTrue(), "for a user")
		b.setFailure(http.StatusInternalServerError, "")
		b.reconciler.RequestListing(client.ObjectKeyFromObject(b.source))
		_, err := b.reconcileSource("1ns")
		Expect(err).To(HaveOccurred())
		Expect(isComplete()).To(BeTrue(), "for its origin")
		b.setFailure(0, "")
		b.expectSuccess("1ns")
		Expect(isComplete()).To(BeTrue(), "after a failure")
		b.expectSuccess("1ns")
		Expect(isComplete()).To(BeFalse(), "after it succeeded")
	})

	It("with the validator of its last answer, which needs no write", func() {
		b.syncAndServe()
		b.setTag("second")
		b.expectSuccess("1ns")
		Expect(b.takeResponses()).To(Equal([]string{"200"}))
		b.expectSuccess("1ns")
		Expect(b.takeResponses()).To(Equal([]string{"304"}))
		Expect(b.writes.Take()).To(BeEmpty())
	})

	It("what is new when the operator has started again", func() {
		b.syncAndServe()
		b.restartReconciler()
		b.expectSuccess()
		Expect(b.takeResponses()).To(Equal([]string{"304"}))
		Expect(b.writes.Take()).To(BeEmpty())
		b.expectNoWrites()
	})

	It("for all it has when its spec has changed", func() {
		b.syncAndServe()
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Filter = &v1alpha1.AppFilter{Exclude: []string{"blog"}} })
		b.expectSuccess()
		Expect(b.takeResponses()).To(Equal([]string{"200"}))
		Expect(b.appNames()).To(Equal([]string{"web"}))
		b.expectSuccess()
		Expect(b.takeResponses()).To(BeEmpty(), "once")
	})

	It("not at all while it is suspended", func() {
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Suspend = new(true) })
		result := b.expectSuccess()
		Expect(result.RequeueAfter).To(BeZero())
		Expect(b.takeResponses()).To(BeEmpty())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("Unknown Suspended"))
		b.expectNoWrites()
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Suspend = nil })
		b.syncAndServe()
	})

	It("not while it is suspended, and its apps stay", func() {
		b.syncAndServe()
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Suspend = new(true) })
		b.removeApp("blog")
		b.expectSuccess("1ns")
		Expect(b.takeResponses()).To(BeEmpty())
		Expect(b.appNames()).To(Equal([]string{"blog", "web"}))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		b.expectNoWrites()
	})
})
