package marketsource_test

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

var _ = Describe("A source that fails", func() {
	var b *bench
	BeforeEach(func() {
		b = newBench()
		b.offer("web", "1.0.0")
	})

	// stays expects the failure to remain when an app requeues the source, without a
	// request to the shop.
	stays := func(reached, indexed, ready string) {
		GinkgoHelper()
		b.quiet()
		Expect([]string{b.condition(v1alpha1.ConditionReached), b.condition(v1alpha1.ConditionIndexed), b.condition(v1alpha1.ConditionReady)}).
			To(Equal([]string{reached, indexed, ready}))
	}

	It("keeps its apps, and is asked again by and by", func() {
		b.synced()
		b.fails(http.StatusInternalServerError, "")
		for range 2 {
			_, err := b.reconcile("1ns")
			Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonFetchFailed), "the queue calls again, later and later")
			Expect(b.condition(v1alpha1.ConditionReached)).To(Equal("False FetchFailed"))
			Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True ProgressingWithRetry"))
			Expect(b.requests()).To(Equal([]string{"500"}))
		}
		_, _ = b.reconcile()
		Expect(b.requests()).To(Equal([]string{"500"}), "the delay was that of a short interval")
		_, err := b.reconcile()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonFetchFailed))
		Expect(b.requests()).To(BeEmpty(), "a change of an app does not have it asked before the delay is over")
		Expect(b.apps()).To(Equal([]string{"web"}))
		b.fails(0, "")
		b.ask("now")
		b.succeeds()
		Expect(b.requests()).To(Equal([]string{"304"}))
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		b.quiet()
	})

	It("is told what to do when there is no index", func() {
		b.fails(http.StatusNotFound, "")
		result, err := b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionStalled)).To(Equal("True NotFound"))
		Expect(result.RequeueAfter).To(BeNumerically(">", 8*time.Minute), "it may appear without a word")
		Expect(b.source.Status.ObservedGeneration).To(Equal(b.source.Generation))
		stays("False NotFound", "", "False NotFound")
		b.fails(0, "")
		b.ask("now")
		b.synced()
	})

	It("stays failed when its apps change", func() {
		b.synced()
		b.fails(http.StatusNotFound, "")
		_, err := b.reconcile("1ns")
		Expect(err).NotTo(HaveOccurred())
		b.spoil("web", "no value")
		_, err = b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionStalled)).To(Equal("True NotFound"))
		Expect(b.condition(v1alpha1.ConditionReached)).To(Equal("False NotFound"))
		Expect(b.apps()).To(Equal([]string{"web"}))
	})

	It("is left alone for as long as it asks for", func() {
		b.synced()
		b.fails(http.StatusTooManyRequests, "30")
		var result ctrl.Result
		for _, want := range [][]string{{"429"}, nil} {
			b.ask("now")
			var err error
			result, err = b.reconcile()
			Expect(err).NotTo(HaveOccurred())
			Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True RateLimited"))
			Expect(b.requests()).To(Equal(want))
			Expect(result.RequeueAfter).To(And(BeNumerically(">", 20*time.Second), BeNumerically("<=", 30*time.Second)))
		}
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True Ready"), "its apps are served")
		b.quiet()
	})

	It("has no index that can be read", func() {
		b.synced()
		b.says("<html>Not found</html>")
		_, err := b.reconcile("1ns")
		Expect(err).NotTo(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionIndexed)).To(Equal("False InvalidIndex"))
		Expect(b.condition(v1alpha1.ConditionStalled)).To(Equal("True InvalidIndex"))
		Expect(b.apps()).To(Equal([]string{"web"}))
		b.says("")
		b.succeeds("1ns")
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		Expect(b.condition(v1alpha1.ConditionIndexed)).To(Equal("True Indexed"))
		b.quiet()
	})

	It("has no secret", func() {
		b.edit(func(s *v1alpha1.MarketSource) { s.Spec.SecretRef = &v1alpha1.LocalObjectReference{Name: "login"} })
		result, err := b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionReached)).To(Equal("False SecretMissing"))
		Expect(b.condition(v1alpha1.ConditionStalled)).To(Equal("True SecretMissing"))
		Expect(result.RequeueAfter).To(BeNumerically(">", 8*time.Minute))
		Expect(b.requests()).To(BeEmpty())
		stays("False SecretMissing", "", "False SecretMissing")
		server.Create(GinkgoTB(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.source.Namespace, Name: "login"}, StringData: map[string]string{"token": "x"}})
		b.ask("now")
		b.synced()
	})

	It("loses its secret by an edit, and is not called ready by its apps", func() {
		b.synced()
		b.edit(func(s *v1alpha1.MarketSource) { s.Spec.SecretRef = &v1alpha1.LocalObjectReference{Name: "login"} })
		_, err := b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionStalled)).To(Equal("True SecretMissing"))
		stays("False SecretMissing", "", "False SecretMissing")
		b.edit(func(s *v1alpha1.MarketSource) { s.Spec.SecretRef = nil })
		b.succeeds()
		Expect(b.requests()).To(Equal([]string{"200"}))
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True Ready"))
	})

	It("could not have its apps written", func() {
		foreign := &v1alpha1.AppInfo{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.source.Namespace, Name: "main.web"},
			Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "main"}, App: "web"},
		}
		foreign.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: "v1", Kind: "ConfigMap", Name: "other", UID: "00000000-0000-0000-0000-000000000001", Controller: new(true)}}
		server.Create(GinkgoTB(), foreign)
		for _, interval := range []v1alpha1.Duration{"1ns", "10m"} {
			_, err := b.reconcile(interval)
			Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonApplyFailed))
			Expect(b.condition(v1alpha1.ConditionIndexed)).To(Equal("False ApplyFailed"))
			Expect(b.requests()).To(Equal([]string{"200"}), "a retry needs the whole of it")
		}
		stays("True Reached", "False ApplyFailed", "False ApplyFailed")
		Expect(server.Client.Delete(b.ctx, foreign)).To(Succeed())
		b.ask("now")
		b.synced()
	})
})
