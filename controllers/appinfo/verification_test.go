package appinfo_test

import (
	"context"
	"net/http"
	"net/http/httptest"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/signature/trustroot"
	"github.com/appmarket/operator/test/signing"
)

func (b *appFixture) allowMutableVersions() {
	GinkgoHelper()
	b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.MutableVersions = v1alpha1.MutableVersionsAllow })
}

// requireProvenance makes the source require the signature of a key.
func (b *appFixture) requireProvenance(key *signing.ProvenanceKey) {
	GinkgoHelper()
	b.writeKeyring(key)
	b.editSource(func(spec *v1alpha1.MarketSourceSpec) {
		spec.Verify = &v1alpha1.Verification{
			Provider: v1alpha1.VerificationProviderHelmProvenance,
			HelmProvenance: &v1alpha1.HelmProvenanceVerification{
				KeyringRef: v1alpha1.TrustRootReference{Kind: v1alpha1.TrustRootKindConfigMap, Name: "trust", Key: "keyring.gpg"},
			},
		}
	})
	b.writePolicyDigest()
}

// writeKeyring writes the keyring with a key.
func (b *appFixture) writeKeyring(key *signing.ProvenanceKey) {
	GinkgoHelper()
	trust := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.source.Namespace, Name: "trust", Labels: map[string]string{v1alpha1.CredentialsLabel: "true"}},
		BinaryData: map[string][]byte{"keyring.gpg": key.Keyring(GinkgoTB())},
	}
	Expect(client.IgnoreNotFound(server.Client.Delete(b.ctx, trust.DeepCopy()))).To(Succeed())
	Expect(server.Client.Create(b.ctx, trust)).To(Succeed())
}

// writePolicyDigest writes the digest of the policy to the status of the source, as its controller does.
func (b *appFixture) writePolicyDigest() {
	GinkgoHelper()
	policy, err := trustroot.PolicyFor(b.ctx, server.Client, b.source)
	Expect(err).NotTo(HaveOccurred())
	before := client.MergeFrom(b.source.DeepCopy())
	b.source.Status.VerificationDigest = policy.Digest
	Expect(server.Client.Status().Patch(b.ctx, b.source, before)).To(Succeed())
}

// servedIndex returns the index of the source in the repository.
func (b *appFixture) servedIndex() string {
	GinkgoHelper()
	answer := httptest.NewRecorder()
	chartrepo.Handler(b.store, chartrepo.HandlerOptions{}).ServeHTTP(answer,
		httptest.NewRequest(http.MethodGet, "/"+b.source.Namespace+"/"+b.source.Name+"/index.yaml", nil))
	Expect(answer.Code).To(Equal(http.StatusOK))
	return answer.Body.String()
}

// reconcileWithReason reconciles the app until the condition Fetched has a reason.
func (b *appFixture) reconcileWithReason(reason string) {
	GinkgoHelper()
	Eventually(func() string {
		_, _ = b.reconcileApp() // The condition contains the error.
		return b.conditionStatus(v1alpha1.ConditionFetched)
	}).Should(HaveSuffix(" " + reason))
}

var _ = Describe("A source that requires signatures", func() {
	var (
		b   *appFixture
		key *signing.ProvenanceKey
	)

	BeforeEach(func() {
		b, key = newAppFixture(), signing.NewProvenanceKey(GinkgoTB())
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
	})

	It("serves a signed chart with its signer", func() {
		b.signVersion("1.0.0", key)
		b.requireProvenance(key)
		b.reconcileWithReason(v1alpha1.ReasonFetched)
		b.expectServed("1.0.0")
		verdict := b.app.Status.Versions[0].Verification
		Expect(verdict).To(HaveValue(And(
			HaveField("Provider", v1alpha1.VerificationProviderHelmProvenance),
			HaveField("Identity", key.Fingerprint()), HaveField("PolicyDigest", b.source.Status.VerificationDigest))))
		Expect(b.conditionMessage(v1alpha1.ConditionFetched)).To(ContainSubstring("signature of " + key.Fingerprint()))
		Expect(b.servedIndex()).To(MatchRegexp(`appmarket.io/signature-identity"?: "?` + key.Fingerprint()))
		b.takeFetchCount("1.0.0")
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.takeFetchCount("1.0.0")).To(BeZero(), "nothing has changed")
	})

	DescribeTable("does not serve a chart",
		func(prepare func(), reason string) {
			prepare()
			b.reconcileWithReason(reason)
			Expect(b.app.Status.Versions).To(BeEmpty())
			Expect(b.repositoryVersions()).To(BeEmpty())
			Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False " + reason))
		},
		Entry("without a signature", func() { b.requireProvenance(key) }, v1alpha1.ReasonSignatureMissing),
		Entry("that was changed after it was signed", func() {
			b.signVersion("1.0.0", key)
			b.addVersion("1.0.0", map[string]string{"values.yaml": "color: red\n"})
			b.writeListing()
			b.requireProvenance(key)
		}, v1alpha1.ReasonSignatureInvalid),
		Entry("of another signer", func() {
			b.signVersion("1.0.0", signing.NewProvenanceKey(GinkgoTB()))
			b.requireProvenance(key)
		}, v1alpha1.ReasonIdentityMismatch),
		Entry("if the keyring does not exist", func() {
			b.signVersion("1.0.0", key)
			b.requireProvenance(key)
			Expect(server.Client.Delete(b.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.source.Namespace, Name: "trust"}})).To(Succeed())
		}, v1alpha1.ReasonTrustRootUnavailable),
		Entry("that was served before signatures were required", func() {
			b.reconcileWithReason(v1alpha1.ReasonFetched)
			b.expectServed("1.0.0")
			b.requireProvenance(key)
		}, v1alpha1.ReasonSignatureMissing),
		Entry("whose signer is no longer trusted", func() {
			b.signVersion("1.0.0", key)
			b.requireProvenance(key)
			b.reconcileWithReason(v1alpha1.ReasonFetched)
			b.writeKeyring(signing.NewProvenanceKey(GinkgoTB()))
			b.writePolicyDigest()
		}, v1alpha1.ReasonIdentityMismatch),
	)

	It("continues to serve a verified version while another one is not signed", func() {
		b.signVersion("1.0.0", key)
		b.requireProvenance(key)
		b.reconcileWithReason(v1alpha1.ReasonFetched)
		b.addVersion("1.1.0", configMapFiles())
		b.writeListing()
		b.reconcileWithReason(v1alpha1.ReasonSignatureMissing)
		Expect(b.repositoryVersions()).To(Equal([]string{"1.0.0"}))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True " + v1alpha1.ReasonServingPrevious))
	})

	It("verifies again after the keyring has changed, before the source was requested", func() {
		b.signVersion("1.0.0", key)
		b.requireProvenance(key)
		b.reconcileWithReason(v1alpha1.ReasonFetched)
		other := signing.NewProvenanceKey(GinkgoTB())
		b.writeKeyring(other)
		b.addVersion("1.1.0", configMapFiles())
		b.signVersion("1.1.0", other)
		b.writeListing()
		b.reconcileWithReason(v1alpha1.ReasonIdentityMismatch)
		Expect(b.repositoryVersions()).To(Equal([]string{"1.1.0"}))
	})
})

var _ = Describe("A source that begins to require signatures", func() {
	var (
		b   *appFixture
		key *signing.ProvenanceKey
	)

	BeforeEach(func() {
		b, key = newAppFixture(), signing.NewProvenanceKey(GinkgoTB())
		b.addVersion("1.0.0", configMapFiles())
		b.addVersion("1.1.0", configMapFiles())
		b.signVersion("1.1.0", key)
		b.writeListing()
		b.expectServed("1.1.0", "1.0.0")
	})

	It("withdraws a version that is not signed and that it no longer offers, although an instance has installed it", func() {
		b.installVersion("1.0.0")
		b.removeVersion("1.0.0")
		b.writeListing()
		b.expectServed("1.1.0", "1.0.0")
		b.requireProvenance(key)
		b.expectServed("1.1.0")
		Expect(b.repositoryVersions()).To(Equal([]string{"1.1.0"}))
	})

	DescribeTable("withdraws versions that are not signed while hydration is suspended",
		func(suspend func(suspended *bool)) {
			suspend(new(true))
			b.requireProvenance(key)
			_, err := b.reconcileApp()
			Expect(err).NotTo(HaveOccurred())
			Expect(b.repositoryVersions()).To(BeEmpty())
			Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("Unknown " + v1alpha1.ReasonSuspended))
			b.expectNoWrites()
			suspend(nil)
			b.reconcileWithReason(v1alpha1.ReasonSignatureMissing)
			Expect(b.repositoryVersions()).To(Equal([]string{"1.1.0"}))
		},
		Entry("of the app", func(suspended *bool) { b.editApp(func(app *v1alpha1.AppInfo) { app.Spec.Suspend = suspended }) }),
		Entry("of the source", func(suspended *bool) {
			b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.Suspend = suspended })
		}),
	)
})

var _ = Describe("A signer that is no longer trusted", func() {
	var (
		b          *appFixture
		key, other *signing.ProvenanceKey
	)

	BeforeEach(func() {
		b, key, other = newAppFixture(), signing.NewProvenanceKey(GinkgoTB()), signing.NewProvenanceKey(GinkgoTB())
		b.addVersion("1.0.0", configMapFiles())
		b.signVersion("1.0.0", key)
		b.writeListing()
		b.requireProvenance(key)
		b.expectServed("1.0.0")
		b.writeKeyring(other)
	})

	It("is served for one attempt if the server does not respond", func() {
		b.setFailure("1.0.0", http.StatusBadGateway)
		b.writePolicyDigest()
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(b.repositoryVersions()).To(Equal([]string{"1.0.0"}))
		_, err = b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(b.repositoryVersions()).To(BeEmpty())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False " + v1alpha1.ReasonFetchFailed))
	})

	DescribeTable("is not served if the check fails for another reason",
		func(status int, reason string) {
			b.setFailure("1.0.0", status)
			b.writePolicyDigest()
			_, _ = b.reconcileApp() // The condition contains the error.
			Expect(b.conditionStatus(v1alpha1.ConditionFetched)).To(Equal("False " + reason))
			Expect(b.repositoryVersions()).To(BeEmpty())
		},
		Entry("without access", http.StatusForbidden, v1alpha1.ReasonUnauthorized),
		Entry("a limit of requests", http.StatusTooManyRequests, v1alpha1.ReasonRateLimited),
		Entry("an archive that was deleted", http.StatusNotFound, v1alpha1.ReasonNotFound),
	)

	It("is not served if a signature that is too large was added", func() {
		b.addFile("/web-1.0.0.tgz.prov", make([]byte, 2<<20))
		b.writePolicyDigest()
		b.reconcileWithReason(v1alpha1.ReasonLimitExceeded)
		Expect(b.repositoryVersions()).To(BeEmpty())
	})

	DescribeTable("is not served if the app cannot be hydrated",
		func(prevent func()) {
			prevent()
			b.writePolicyDigest()
			_, err := b.reconcileApp()
			Expect(err).To(HaveOccurred())
			Expect(b.repositoryVersions()).To(BeEmpty())
		},
		Entry("because the platform is not supported", func() { b.reconciler.Profiles = nil }),
		Entry("because the source cannot be opened", func() {
			b.reconciler.Open = func(context.Context, *v1alpha1.MarketSource) (hydrate.Fetcher, error) {
				return nil, outcome.Stalledf(v1alpha1.ReasonReferenceNotFound, "Secret not found")
			}
		}),
	)

	It("is not served while the app is suspended", func() {
		b.editApp(func(app *v1alpha1.AppInfo) { app.Spec.Suspend = new(true) })
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.repositoryVersions()).To(BeEmpty())
	})

	It("is not served if its version is no longer offered", func() {
		b.installVersion("1.0.0")
		b.removeVersion("1.0.0")
		b.addVersion("1.1.0", configMapFiles())
		b.signVersion("1.1.0", other)
		b.writeListing()
		b.writePolicyDigest()
		b.expectServed("1.1.0")
	})
})

var _ = Describe("A version whose chart changes", func() {
	var b *appFixture

	BeforeEach(func() {
		b = newAppFixture()
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
		b.reconcileWithReason(v1alpha1.ReasonFetched)
		b.addVersion("1.0.0", map[string]string{"values.yaml": "color: red\n"})
		b.writeListing()
	})

	It("keeps its chart until a user accepts the new digest", func() {
		before, changed := b.app.Status.Versions[0].Digest, chart.Digest(b.archives["1.0.0"])
		b.takeFetchCount("1.0.0")
		b.reconcileWithReason(v1alpha1.ReasonMutated)
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True " + v1alpha1.ReasonServingPrevious))
		Expect(b.conditionMessage(v1alpha1.ConditionFetched)).To(ContainSubstring(changed))
		Expect(b.app.Status.Versions[0].Digest).To(Equal(before))
		Expect(b.takeFetchCount("1.0.0")).To(BeZero(), "the index contains the digest")

		b.editApp(func(app *v1alpha1.AppInfo) {
			app.Spec.AcceptedDigests = []v1alpha1.AcceptedDigest{{Version: "1.0.0", Digest: changed}}
		})
		b.reconcileWithReason(v1alpha1.ReasonFetched)
		Expect(b.app.Status.Versions[0].Digest).NotTo(Equal(before))
		Expect(b.app.Status.Versions[0].ChartDigest).To(Equal(changed))
	})

	It("keeps its chart if the index has no digest", func() {
		before := b.app.Status.Versions[0].Digest
		b.editApp(func(app *v1alpha1.AppInfo) { app.Spec.Offers[0].Digest = "" })
		b.reconcileWithReason(v1alpha1.ReasonMutated)
		Expect(b.app.Status.Versions[0].Digest).To(Equal(before))
	})

	It("has the new chart if the source allows it", func() {
		before := b.app.Status.Versions[0].Digest
		b.allowMutableVersions()
		b.reconcileWithReason(v1alpha1.ReasonFetched)
		Expect(b.app.Status.Versions[0].Digest).NotTo(Equal(before))
	})
})
