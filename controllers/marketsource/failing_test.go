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
	var b *marketFixture
	BeforeEach(func() {
		b = newMarketFixture()
		b.addVersions("web", "1.0.0")
	})

	// stays expects the failure to remain when an app requeues the source, without a
	// request to the shop.
	stays := func(reached, indexed, ready string) {
		GinkgoHelper()
		b.expectNoWrites()
		Expect([]string{b.conditionStatus(v1alpha1.ConditionReachable), b.conditionStatus(v1alpha1.ConditionIndexed), b.conditionStatus(v1alpha1.ConditionReady)}).
			To(Equal([]string{reached, indexed, ready}))
	}

	It("keeps its apps, and is asked again by and by", func() {
		b.syncAndServe()
		b.setFailure(http.StatusInternalServerError, "")
		for range 2 {
			_, err := b.reconcileSource("1ns")
			Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonFetchFailed), "the queue calls again, later and later")
			Expect(b.conditionStatus(v1alpha1.ConditionReachable)).To(Equal("False FetchFailed"))
			Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True ProgressingWithRetry"))
			Expect(b.takeResponses()).To(Equal([]string{"500"}))
		}
		_, _ = b.reconcileSource()
		Expect(b.takeResponses()).To(Equal([]string{"500"}), "the delay was the delay of a short interval")
		_, err := b.reconcileSource()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonFetchFailed))
		Expect(b.takeResponses()).To(BeEmpty(), "a change of an app does not have it asked before the delay is over")
		Expect(b.appNames()).To(Equal([]string{"web"}))
		b.setFailure(0, "")
		b.requestReconcile("now")
		b.expectSuccess()
		Expect(b.takeResponses()).To(Equal([]string{"304"}))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		b.expectNoWrites()
	})

	It("says what to do when there is no index", func() {
		b.setFailure(http.StatusNotFound, "")
		result, err := b.reconcileSource()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True NotFound"))
		Expect(result.RequeueAfter).To(BeNumerically(">", 8*time.Minute), "no event reports that it appears")
		Expect(b.source.Status.ObservedGeneration).To(Equal(b.source.Generation))
		stays("False NotFound", "", "False NotFound")
		b.setFailure(0, "")
		b.requestReconcile("now")
		b.syncAndServe()
	})

	It("stays failed when its apps change", func() {
		b.syncAndServe()
		b.setFailure(http.StatusNotFound, "")
		_, err := b.reconcileSource("1ns")
		Expect(err).NotTo(HaveOccurred())
		b.setRenderFailed("web", "no value")
		_, err = b.reconcileSource()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True NotFound"))
		Expect(b.conditionStatus(v1alpha1.ConditionReachable)).To(Equal("False NotFound"))
		Expect(b.appNames()).To(Equal([]string{"web"}))
	})

	It("is left alone for as long as it asks for", func() {
		b.syncAndServe()
		b.setFailure(http.StatusTooManyRequests, "30")
		var result ctrl.Result
		for _, want := range [][]string{{"429"}, nil} {
			b.requestReconcile("now")
			var err error
			result, err = b.reconcileSource()
			Expect(err).NotTo(HaveOccurred())
			Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True RateLimited"))
			Expect(b.takeResponses()).To(Equal(want))
			Expect(result.RequeueAfter).To(And(BeNumerically(">", 20*time.Second), BeNumerically("<=", 30*time.Second)))
		}
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"), "its apps are served")
		b.expectNoWrites()
	})

	It("has no index that can be read", func() {
		b.syncAndServe()
		b.setBody("<html>Not found</html>")
		_, err := b.reconcileSource("1ns")
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionIndexed)).To(Equal("False InvalidIndex"))
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True InvalidIndex"))
		Expect(b.appNames()).To(Equal([]string{"web"}))
		b.setBody("")
		b.expectSuccess("1ns")
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		Expect(b.conditionStatus(v1alpha1.ConditionIndexed)).To(Equal("True Indexed"))
		b.expectNoWrites()
	})

	It("has no secret", func() {
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Helm.SecretRef = &v1alpha1.LocalObjectReference{Name: "login"} })
		result, err := b.reconcileSource()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReachable)).To(Equal("False ReferenceNotFound"))
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True ReferenceNotFound"))
		Expect(result.RequeueAfter).To(BeNumerically(">", 8*time.Minute))
		Expect(b.takeResponses()).To(BeEmpty())
		stays("False ReferenceNotFound", "", "False ReferenceNotFound")
		server.Create(GinkgoTB(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.source.Namespace, Name: "login"}, StringData: map[string]string{"token": "x"}})
		b.requestReconcile("now")
		b.syncAndServe()
	})

	It("loses its secret by an edit, and is not called ready by its apps", func() {
		b.syncAndServe()
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Helm.SecretRef = &v1alpha1.LocalObjectReference{Name: "login"} })
		_, err := b.reconcileSource()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True ReferenceNotFound"))
		stays("False ReferenceNotFound", "", "False ReferenceNotFound")
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Helm.SecretRef = nil })
		b.expectSuccess()
		Expect(b.takeResponses()).To(Equal([]string{"200"}))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
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
			_, err := b.reconcileSource(interval)
			Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonApplyFailed))
			Expect(b.conditionStatus(v1alpha1.ConditionIndexed)).To(Equal("False ApplyFailed"))
			Expect(b.takeResponses()).To(Equal([]string{"200"}), "a retry needs the whole of it")
		}
		stays("True Reachable", "False ApplyFailed", "False ApplyFailed")
		Expect(server.Client.Delete(b.ctx, foreign)).To(Succeed())
		b.requestReconcile("now")
		b.syncAndServe()
	})
})
