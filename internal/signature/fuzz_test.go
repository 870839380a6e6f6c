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

// FuzzVerify verifies damaged signatures with each provider. None may panic or be valid.
func FuzzVerify(f *testing.F) {
	key, pgp, authority := signing.NewCosignKey(f), signing.NewProvenanceKey(f), signing.NewSigstore(f)
	notary, manifest := signing.NewNotary(f, "Charts", time.Now().Add(time.Hour)), manifestOf(archive)
	policies := []hydrate.SignaturePolicy{
		{Provider: v1alpha1.VerificationProviderHelmProvenance, TrustRoot: pgp.Keyring(f)},
		{Provider: v1alpha1.VerificationProviderCosign, TrustRoot: key.PublicKey(f)},
		{Provider: v1alpha1.VerificationProviderCosign, Keyless: true, TrustRoot: authority.TrustedRoot(f),
			Signers: []v1alpha1.SignerIdentity{{IssuerRegExp: ".*", SubjectRegExp: ".*"}}},
		{Provider: v1alpha1.VerificationProviderNotation, TrustRoot: notary.Certificates()},
	}
	// The archive differs from the signed one, so that no signature may be accepted.
	other := []byte("another archive")
	f.Add(0, "", pgp.SignArchive(f, archive), []byte(nil), "")
	f.Add(1, signing.BundleType, key.SignStatement(f, manifest, signing.SignPredicate), []byte(nil), "")
	simple := authority.SignSimple(f, subject, issuer, manifest)
	f.Add(2, simple.MediaType, simple.Content, simple.Payload, simple.Annotations["dev.sigstore.cosign/bundle"])
	f.Add(2, signing.BundleType, authority.SignStatement(f, subject, issuer, manifest, signing.SignPredicate), []byte(nil), "")
	f.Add(3, signing.JWSType, notary.SignManifest(f, manifest, signing.JWSType), []byte(nil), "")
	f.Add(3, signing.COSEType, notary.SignManifest(f, manifest, signing.COSEType), []byte(nil), "")
	f.Fuzz(func(t *testing.T, provider int, mediaType string, content, payload []byte, logEntry string) {
		signed := hydrate.SignedChart{Archive: other, Digest: chart.Digest(other), Signatures: hydrate.Signatures{
			Manifest: manifestOf(other), List: []hydrate.Signature{{
				MediaType: mediaType, Content: content, Payload: payload, Annotations: map[string]string{
					"dev.sigstore.cosign/bundle": logEntry, "dev.sigstore.cosign/certificate": simple.Annotations["dev.sigstore.cosign/certificate"],
				},
			}},
		}}
		_, err := signature.Verifier{}.Verify(t.Context(), signed, policies[uint(provider)%uint(len(policies))])
		if !outcome.IsStalled(err) {
			t.Fatalf("a damaged signature is accepted: %v", err)
		}
	})
}
