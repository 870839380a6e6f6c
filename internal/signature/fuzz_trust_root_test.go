package signature_test

import (
	"testing"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/signature"
	"github.com/appmarket/operator/test/signing"
)

// FuzzTrustRoot verifies a chart that is not signed with any trust root.
func FuzzTrustRoot(f *testing.F) {
	pgp := signing.NewProvenanceKey(f)
	f.Add(0, pgp.Keyring(f))
	f.Add(0, pgp.ArmoredKeyring(f))
	f.Add(1, signing.NewCosignKey(f).PublicKey(f))
	f.Add(2, signing.NewSigstore(f).TrustedRoot(f))
	f.Add(3, signing.NewNotary(f, "Charts", time.Now().Add(time.Hour)).Certificates())
	policies := []hydrate.SignaturePolicy{
		{Provider: v1alpha1.VerificationProviderHelmProvenance}, {Provider: v1alpha1.VerificationProviderCosign},
		{Provider: v1alpha1.VerificationProviderCosign, Keyless: true, Signers: []v1alpha1.SignerIdentity{{IssuerRegExp: ".*", SubjectRegExp: ".*"}}},
		{Provider: v1alpha1.VerificationProviderNotation, Subjects: []string{"x509.subject: C=US, ST=WA, O=Charts"}},
	}
	f.Fuzz(func(t *testing.T, provider int, trustRoot []byte) {
		policy := policies[uint(provider)%uint(len(policies))]
		policy.TrustRoot = trustRoot
		signed := hydrate.SignedChart{Archive: archive, Digest: chart.Digest(archive), Signatures: hydrate.Signatures{
			Manifest: manifestOf(archive), List: []hydrate.Signature{{MediaType: signing.BundleType, Content: []byte("{}")}},
		}}
		if _, err := (signature.Verifier{}).Verify(t.Context(), signed, policy); !outcome.IsStalled(err) {
			t.Fatalf("a chart that is not signed is accepted: %v", err)
		}
	})
}
