package marketsource_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

var _ = Describe("A source that requires signatures", func() {
	var (
		b      *marketFixture
		digest string
		failed error
		reads  int
	)

	BeforeEach(func() {
		b = newMarketFixture()
		digest, failed, reads = "sha256:1", nil, 0
		b.reconciler.PolicyDigest = func(context.Context, *v1alpha1.MarketSource) (string, error) {
			reads++
			if failed != nil {
				return "", failed
			}
			return digest, nil
		}
		b.addVersions("web", "1.0.0")
		b.editSource(func(s *v1alpha1.MarketSource) {
			s.Spec.Verify = &v1alpha1.Verification{Provider: v1alpha1.VerificationProviderHelmProvenance, HelmProvenance: &v1alpha1.HelmProvenanceVerification{
				KeyringRef: v1alpha1.TrustRootReference{Name: "trust", Key: "keyring.gpg"}}}
		})
	})

	It("records the digest of the policy whenever the source is requested", func() {
		b.syncAndServe()
		Expect(b.source.Status.VerificationDigest).To(Equal("sha256:1"))
		Expect(b.conditionStatus(v1alpha1.ConditionVerified)).To(Equal("True Verified"))
		before := reads
		b.expectNoWrites()
		Expect(reads).To(Equal(before), "the source was not requested")
		digest = "sha256:2"
		b.requestReconcile("now")
		b.expectSuccess()
		Expect(b.source.Status.VerificationDigest).To(Equal("sha256:2"))
	})

	It("is not ready without the trust root, and counts its apps nevertheless", func() {
		failed = outcome.Stalledf(v1alpha1.ReasonTrustRootUnavailable, "ConfigMap %q does not exist", "trust")
		_, _ = b.reconcileSource() // The conditions contain the error; a stalled source is reconciled at its interval.
		Expect(b.conditionStatus(v1alpha1.ConditionVerified)).To(Equal("False TrustRootUnavailable"))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False TrustRootUnavailable"))
		Expect(b.source.Status.VerificationDigest).To(BeEmpty())
		Expect(b.appNames()).To(Equal([]string{"web"}), "the app is listed")
		failed = nil
		b.requestReconcile("now")
		b.syncAndServe()
		Expect(b.conditionStatus(v1alpha1.ConditionVerified)).To(Equal("True Verified"))
	})

	It("continues to serve without the trust root", func() {
		b.syncAndServe()
		failed = outcome.Stalledf(v1alpha1.ReasonTrustRootUnavailable, "ConfigMap %q does not exist", "trust")
		b.requestReconcile("now")
		_, _ = b.reconcileSource() // The conditions contain the error; a stalled source is reconciled at its interval.
		Expect(b.conditionStatus(v1alpha1.ConditionVerified)).To(Equal("False TrustRootUnavailable"))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True " + v1alpha1.ReasonServingPrevious))
	})

	It("states how many apps are not signed", func() {
		b.addVersions("blog", "1.0.0")
		b.expectSuccess()
		b.expectSuccess()
		b.setServed("web")
		b.editAppStatus("blog", func(app *v1alpha1.AppInfo) {
			app.Status.ObservedGeneration = app.Generation
			for _, kind := range []string{v1alpha1.ConditionFetched, v1alpha1.ConditionReady} {
				app.Status.Conditions = append(app.Status.Conditions, b.newCondition(app, kind, metav1.ConditionFalse, v1alpha1.ReasonSignatureMissing, ""))
			}
			app.Status.Conditions = append(app.Status.Conditions, b.newCondition(app, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSignatureMissing, ""))
		})
		b.expectSuccess()
		Expect(b.conditionMessage(v1alpha1.ConditionVerified)).To(HaveSuffix("the newest version of 1 app has none"))
	})

	It("has no such condition after the requirement is removed", func() {
		b.syncAndServe()
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Verify = nil })
		b.syncAndServe()
		Expect(b.conditionStatus(v1alpha1.ConditionVerified)).To(BeEmpty())
		Expect(b.source.Status.VerificationDigest).To(BeEmpty())
	})
})
