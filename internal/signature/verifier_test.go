package signature_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/signature"
	"github.com/appmarket/operator/test/signing"
)

const (
	subject = "release@example.com"
	issuer  = "https://issuer.example.com"
)

var archive = []byte("the archive of a chart")

// shortSubpacket is a key whose signature, the last 50 bytes, has a subpacket without content. The parser of
// OpenPGP panics when it reads it.
var shortSubpacket = "\xc67\x040000\x16\t+\x06\x01\x04\x01\xdaG\x0f\x01\x01\a@" + strings.Repeat("0", 32) + "\xcd\x1b" + strings.Repeat("0", 27) +
	"\xc20\x040\x16\b\x00\x06\x01\x040000" + strings.Repeat("0", 36)

// manifestOf returns the manifest of a chart in a registry.
func manifestOf(archive []byte) []byte {
	return []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json"},` +
		`"layers":[{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":"` + chart.Digest(archive) + `"}]}`)
}

// verification is a row of the tests: a chart with signatures, and the reason of the expected error.
type verification struct {
	why    string
	policy hydrate.SignaturePolicy
	chart  []byte
	hydrate.Signatures
	want     string
	identity string
}

// expectVerifications verifies each chart. Only a row without a reason must have a verdict.
func expectVerifications(t *testing.T, rows []verification) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.why, func(t *testing.T) {
			g := NewWithT(t)
			signed := hydrate.SignedChart{Archive: row.chart, Digest: chart.Digest(row.chart), Signatures: row.Signatures}
			verdict, err := signature.Verifier{}.Verify(t.Context(), signed, row.policy)
			if row.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(verdict.Identity).To(Equal(row.identity))
				return
			}
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			g.Expect(outcome.Reason(err, "")).To(Equal(row.want), "%v", err)
			g.Expect(len(err.Error())).To(BeNumerically("<", 1000))
			g.Expect(verdict).To(BeZero())
		})
	}
}

func newSignatures(contents ...[]byte) hydrate.Signatures {
	var all hydrate.Signatures
	for _, each := range contents {
		all.List = append(all.List, hydrate.Signature{Content: each})
	}
	return all
}

func TestHelmProvenance(t *testing.T) {
	key, other, expired := signing.NewProvenanceKey(t), signing.NewProvenanceKey(t), signing.NewExpiredProvenanceKey(t)
	trust := func(keyring []byte) hydrate.SignaturePolicy {
		return hydrate.SignaturePolicy{Provider: v1alpha1.VerificationProviderHelmProvenance, TrustRoot: keyring}
	}
	policy, good := trust(key.Keyring(t)), key.SignArchive(t, archive)
	both := append(other.ArmoredKeyring(t), append([]byte("\n"), key.ArmoredKeyring(t)...)...)
	expectVerifications(t, []verification{
		{why: "signed by the key", policy: policy, chart: archive, Signatures: newSignatures(good), identity: key.Fingerprint()},
		{why: "signed by the second of two keys in ASCII armor", policy: trust(both), chart: archive, Signatures: newSignatures(good), identity: key.Fingerprint()},
		{why: "the archive was changed", policy: policy, chart: []byte("changed"), Signatures: newSignatures(good), want: v1alpha1.ReasonSignatureInvalid},
		{why: "the signed text was changed", policy: policy, chart: archive, want: v1alpha1.ReasonSignatureInvalid,
			Signatures: newSignatures(bytes.Replace(good, []byte("name: web"), []byte("name: bad"), 1))},
		{why: "text after the signature", policy: policy, chart: archive, Signatures: newSignatures(append(bytes.Clone(good), "files: {}"...)), want: v1alpha1.ReasonSignatureInvalid},
		{why: "signed by another key", policy: policy, chart: archive, Signatures: newSignatures(other.SignArchive(t, archive)), want: v1alpha1.ReasonIdentityMismatch},
		{why: "signed by a key that has expired", policy: trust(expired.Keyring(t)), chart: archive,
			Signatures: newSignatures(expired.SignArchive(t, archive)), want: v1alpha1.ReasonSignatureInvalid},
		{why: "not signed", policy: policy, chart: archive, want: v1alpha1.ReasonSignatureMissing},
		{why: "a folder", policy: policy, Signatures: newSignatures(good), want: v1alpha1.ReasonSignatureMissing},
		{why: "the keyring is no keyring", policy: trust([]byte("keys")), chart: archive, Signatures: newSignatures(good), want: v1alpha1.ReasonTrustRootUnavailable},
		{why: "the keyring is damaged", policy: trust([]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!")), chart: archive,
			Signatures: newSignatures(good), want: v1alpha1.ReasonTrustRootUnavailable},
		{why: "a keyring that the parser cannot read", policy: trust([]byte(shortSubpacket)), chart: archive, Signatures: newSignatures(good), want: v1alpha1.ReasonTrustRootUnavailable},
		{why: "a signature that the parser cannot read", policy: policy, chart: archive, want: v1alpha1.ReasonSignatureInvalid, Signatures: newSignatures([]byte(
			"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nname: web\n-----BEGIN PGP SIGNATURE-----\n\n" +
				base64.StdEncoding.EncodeToString([]byte(shortSubpacket[len(shortSubpacket)-50:])) + "\n-----END PGP SIGNATURE-----\n"))},
		{why: "no provenance file", policy: policy, chart: archive, Signatures: newSignatures([]byte("<html>")), want: v1alpha1.ReasonSignatureInvalid},
		{why: "a large file", policy: policy, chart: archive, Signatures: newSignatures(bytes.Repeat([]byte("-----BEGIN PGP"), 70_000)), want: v1alpha1.ReasonSignatureInvalid},
		{why: "a list of digests that expands", policy: policy, chart: archive, want: v1alpha1.ReasonSignatureInvalid,
			Signatures: newSignatures(key.SignText(t, "name: web\n...\nfiles: &a {a: &b {b: *a}, c: *b}\n"))},
		{why: "no list of digests", policy: policy, chart: archive, Signatures: newSignatures(key.SignText(t, "name: web\n")), want: v1alpha1.ReasonSignatureInvalid},
	})
}

func TestCosignKey(t *testing.T) {
	key, other := signing.NewCosignKey(t), signing.NewCosignKey(t)
	trust := func(keys []byte) hydrate.SignaturePolicy {
		return hydrate.SignaturePolicy{Provider: v1alpha1.VerificationProviderCosign, TrustRoot: keys}
	}
	policy, manifest := trust(key.PublicKey(t)), manifestOf(archive)
	identity := verifyIdentity(t, policy, manifest, key)
	both := append(other.PublicKey(t), key.PublicKey(t)...)
	at := func(manifest []byte, signatures ...hydrate.Signature) hydrate.Signatures {
		return hydrate.Signatures{Manifest: manifest, List: signatures}
	}
	bundleOf := func(content []byte) hydrate.Signature {
		return hydrate.Signature{MediaType: signing.BundleType, Content: content}
	}
	simple := key.SignSimple(t, manifest)
	changed := simple
	changed.Payload = signing.SimplePayload([]byte("another manifest"))
	expectVerifications(t, []verification{
		{why: "a signature with a tag", policy: policy, chart: archive, Signatures: at(manifest, simple), identity: identity},
		{why: "a bundle", policy: policy, chart: archive, Signatures: at(manifest, bundleOf(key.SignStatement(t, manifest, signing.SignPredicate))), identity: identity},
		{why: "the bundle of a file", policy: policy, chart: archive, Signatures: at(nil, bundleOf(key.SignBlob(t, archive))), identity: identity},
		{why: "the second of two keys", policy: trust(both), chart: archive, Signatures: at(manifest, simple), identity: identity},
		{why: "a valid signature after invalid ones", policy: policy, chart: archive, identity: identity,
			Signatures: at(manifest, bundleOf([]byte("{}")), other.SignSimple(t, manifest), simple)},
		{why: "the archive was changed", policy: policy, chart: []byte("changed"), Signatures: at(manifest, simple), want: v1alpha1.ReasonSignatureInvalid},
		{why: "the manifest was changed", policy: policy, chart: []byte("changed"), Signatures: at(manifestOf([]byte("changed")), simple), want: v1alpha1.ReasonSignatureInvalid},
		{why: "the signed text was changed", policy: policy, chart: archive, Signatures: at(manifest, changed), want: v1alpha1.ReasonSignatureInvalid},
		{why: "another key", policy: policy, chart: archive, Signatures: at(manifest, other.SignSimple(t, manifest)), want: v1alpha1.ReasonSignatureInvalid},
		{why: "an attestation of another type", policy: policy, chart: archive,
			Signatures: at(manifest, bundleOf(key.SignStatement(t, manifest, "https://example.com/scan/failed"))), want: v1alpha1.ReasonSignatureInvalid},
		{why: "not signed", policy: policy, chart: archive, Signatures: at(manifest), want: v1alpha1.ReasonSignatureMissing},
		{why: "no key", policy: trust([]byte("key")), chart: archive, Signatures: at(manifest, simple), want: v1alpha1.ReasonTrustRootUnavailable},
		{why: "a certificate instead of a key", policy: trust(signing.NewNotary(t, "x", time.Now().Add(time.Hour)).Certificates()), chart: archive,
			Signatures: at(manifest, simple), want: v1alpha1.ReasonTrustRootUnavailable},
		{why: "a deeply nested bundle", policy: policy, chart: archive, want: v1alpha1.ReasonSignatureInvalid,
			Signatures: at(manifest, bundleOf(bytes.Repeat([]byte(`{"dsseEnvelope":`), 50_000)))},
	})
}

// verifyIdentity returns the fingerprint that the verifier computes for a key.
func verifyIdentity(t *testing.T, policy hydrate.SignaturePolicy, manifest []byte, key *signing.CosignKey) string {
	t.Helper()
	verdict, err := signature.Verifier{}.Verify(t.Context(), hydrate.SignedChart{Archive: archive, Digest: chart.Digest(archive),
		Signatures: hydrate.Signatures{Manifest: manifest, List: []hydrate.Signature{key.SignSimple(t, manifest)}}}, policy)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(verdict.Identity).To(MatchRegexp(`^sha256:[0-9a-f]{64}$`))
	return verdict.Identity
}

func TestCosignKeyless(t *testing.T) {
	authority, other := signing.NewSigstore(t), signing.NewSigstore(t)
	trusted, manifest := authority.TrustedRoot(t), manifestOf(archive)
	trust := func(root []byte, signers ...v1alpha1.SignerIdentity) hydrate.SignaturePolicy {
		return hydrate.SignaturePolicy{Provider: v1alpha1.VerificationProviderCosign, Keyless: true, TrustRoot: root, Signers: signers}
	}
	policy := trust(trusted, v1alpha1.SignerIdentity{Issuer: issuer, Subject: subject})
	at := func(manifest []byte, signatures ...hydrate.Signature) hydrate.Signatures {
		return hydrate.Signatures{Manifest: manifest, List: signatures}
	}
	statement := func(by *signing.Sigstore, subject, issuer string) hydrate.Signature {
		return hydrate.Signature{MediaType: signing.BundleType, Content: by.SignStatement(t, subject, issuer, manifest, signing.SignPredicate)}
	}
	good, simple := statement(authority, subject, issuer), authority.SignSimple(t, subject, issuer, manifest)
	unlogged := simple
	unlogged.Annotations = map[string]string{"dev.sigstore.cosign/certificate": simple.Annotations["dev.sigstore.cosign/certificate"]}
	expectVerifications(t, []verification{
		{why: "a bundle of the signer", policy: policy, chart: archive, Signatures: at(manifest, good), identity: subject},
		{why: "a signature with a tag", policy: policy, chart: archive, Signatures: at(manifest, simple), identity: subject},
		{why: "regular expressions", policy: trust(trusted, v1alpha1.SignerIdentity{IssuerRegExp: `https://issuer\..*`, SubjectRegExp: `.*@example\.com`}),
			chart: archive, Signatures: at(manifest, good), identity: subject},
		{why: "an expression that matches only a part", policy: trust(trusted, v1alpha1.SignerIdentity{Issuer: issuer, SubjectRegExp: `release@example`}),
			chart: archive, Signatures: at(manifest, good), want: v1alpha1.ReasonIdentityMismatch},
		{why: "another subject", policy: policy, chart: archive, Signatures: at(manifest, statement(authority, "other@example.com", issuer)), want: v1alpha1.ReasonIdentityMismatch},
		{why: "another issuer", policy: policy, chart: archive, Signatures: at(manifest, statement(authority, subject, "https://other.example")), want: v1alpha1.ReasonIdentityMismatch},
		{why: "another authority", policy: policy, chart: archive, Signatures: at(manifest, statement(other, subject, issuer)), want: v1alpha1.ReasonSignatureInvalid},
		{why: "the manifest was changed", policy: policy, chart: []byte("changed"), Signatures: at(manifestOf([]byte("changed")), good), want: v1alpha1.ReasonSignatureInvalid},
		{why: "an attestation of another type", policy: policy, chart: archive, want: v1alpha1.ReasonSignatureInvalid, Signatures: at(manifest, hydrate.Signature{
			MediaType: signing.BundleType, Content: authority.SignStatement(t, subject, issuer, manifest, "https://example.com/scan/failed")})},
		{why: "not in a transparency log", policy: policy, chart: archive, Signatures: at(manifest, unlogged), want: v1alpha1.ReasonSignatureInvalid},
		{why: "signed with a key", policy: policy, chart: archive, Signatures: at(manifest, signing.NewCosignKey(t).SignSimple(t, manifest)), want: v1alpha1.ReasonSignatureInvalid},
		{why: "not signed", policy: policy, chart: archive, Signatures: at(manifest), want: v1alpha1.ReasonSignatureMissing},
		{why: "no trusted root", policy: trust([]byte("{}"), policy.Signers...), chart: archive, Signatures: at(manifest, good), want: v1alpha1.ReasonTrustRootUnavailable},
	})
}

func TestNotation(t *testing.T) {
	notary, other := signing.NewNotary(t, "Charts", time.Now().Add(time.Hour)), signing.NewNotary(t, "Charts", time.Now().Add(time.Hour))
	expired := signing.NewNotary(t, "Charts", time.Now().Add(-time.Hour))
	manifest := manifestOf(archive)
	trust := func(certificates []byte, subjects ...string) hydrate.SignaturePolicy {
		return hydrate.SignaturePolicy{Provider: v1alpha1.VerificationProviderNotation, TrustRoot: certificates, Subjects: subjects}
	}
	policy, identity := trust(notary.Certificates()), "CN=charts,O=Charts,ST=WA,C=US"
	by := func(signer *signing.Notary, signed []byte, format string) hydrate.Signatures {
		return hydrate.Signatures{Manifest: manifest, List: []hydrate.Signature{{MediaType: format, Content: signer.SignManifest(t, signed, format)}}}
	}
	damaged := by(notary, manifest, signing.JWSType)
	damaged.List[0].Content = bytes.Replace(damaged.List[0].Content, []byte(`"payload":"ey`), []byte(`"payload":"ez`), 1)
	expectVerifications(t, []verification{
		{why: "a JWS", policy: policy, chart: archive, Signatures: by(notary, manifest, signing.JWSType), identity: identity},
		{why: "a COSE", policy: policy, chart: archive, Signatures: by(notary, manifest, signing.COSEType), identity: identity},
		{why: "a trusted subject", policy: trust(notary.Certificates(), "x509.subject: C=US, ST=WA, O=Charts"), chart: archive,
			Signatures: by(notary, manifest, signing.JWSType), identity: identity},
		{why: "another subject", policy: trust(notary.Certificates(), "x509.subject: C=US, ST=WA, O=Other"), chart: archive,
			Signatures: by(notary, manifest, signing.JWSType), want: v1alpha1.ReasonIdentityMismatch},
		{why: "another authority", policy: policy, chart: archive, Signatures: by(other, manifest, signing.JWSType), want: v1alpha1.ReasonIdentityMismatch},
		{why: "another manifest", policy: policy, chart: archive, Signatures: by(notary, []byte("{}"), signing.JWSType), want: v1alpha1.ReasonSignatureInvalid},
		{why: "the archive was changed", policy: policy, chart: []byte("changed"), Signatures: by(notary, manifest, signing.JWSType), want: v1alpha1.ReasonSignatureInvalid},
		{why: "the signature was changed", policy: policy, chart: archive, Signatures: damaged, want: v1alpha1.ReasonSignatureInvalid},
		{why: "an expired certificate", policy: trust(expired.Certificates()), chart: archive,
			Signatures: by(expired, manifest, signing.JWSType), want: v1alpha1.ReasonSignatureInvalid},
		{why: "not signed", policy: policy, chart: archive, Signatures: hydrate.Signatures{Manifest: manifest}, want: v1alpha1.ReasonSignatureMissing},
		{why: "no certificates", policy: trust([]byte("x")), chart: archive, Signatures: by(notary, manifest, signing.JWSType), want: v1alpha1.ReasonTrustRootUnavailable},
		{why: "an unknown format", policy: policy, chart: archive, want: v1alpha1.ReasonSignatureInvalid, Signatures: hydrate.Signatures{
			Manifest: manifest, List: []hydrate.Signature{{MediaType: "text/plain", Content: []byte("x")}}}},
	})
}
