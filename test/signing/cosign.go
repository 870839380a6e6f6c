package signing

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

// Types of signatures of cosign.
const (
	BundleType        = "application/vnd.dev.sigstore.bundle.v0.3+json"
	SimpleSigningType = "application/vnd.dev.cosign.simplesigning.v1+json"
	// SignPredicate is the type of the statement of a signature.
	SignPredicate = "https://sigstore.dev/cosign/sign/v1"
	statementType = "application/vnd.in-toto+json"
)

// CosignKey is a key that signs as cosign does.
type CosignKey struct{ private *ecdsa.PrivateKey }

// NewCosignKey creates a key.
func NewCosignKey(t testing.TB) *CosignKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return &CosignKey{private}
}

// PublicKey returns the public key in PEM.
func (k *CosignKey) PublicKey(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// Fingerprint returns the digest of the public key.
func (k *CosignKey) Fingerprint(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (k *CosignKey) sign(t testing.TB, message []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(message)
	signed, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return signed
}

// SimplePayload returns the text that older versions of cosign sign for a manifest.
func SimplePayload(manifest []byte) []byte {
	sum := sha256.Sum256(manifest)
	return []byte(`{"critical":{"identity":{"docker-reference":"registry.example/web"},"image":{"docker-manifest-digest":"sha256:` +
		hex.EncodeToString(sum[:]) + `"},"type":"cosign container image signature"},"optional":null}`)
}

// SignSimple returns a signature of older versions of cosign for a manifest.
func (k *CosignKey) SignSimple(t testing.TB, manifest []byte) hydrate.Signature {
	t.Helper()
	payload := SimplePayload(manifest)
	return hydrate.Signature{MediaType: SimpleSigningType, Payload: payload, Content: []byte(base64.StdEncoding.EncodeToString(k.sign(t, payload)))}
}

// SignBlob returns the bundle of a signature of a file.
func (k *CosignKey) SignBlob(t testing.TB, content []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(content)
	return encodeJSON(t, map[string]any{
		"mediaType": BundleType, "verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": "key"}},
		"messageSignature": map[string]any{
			"messageDigest": map[string]any{"algorithm": "SHA2_256", "digest": sum[:]}, "signature": k.sign(t, content),
		},
	})
}

// SignStatement returns the bundle of a statement about a manifest.
func (k *CosignKey) SignStatement(t testing.TB, manifest []byte, predicate string) []byte {
	t.Helper()
	statement := Statement(t, manifest, predicate)
	encoded := fmt.Sprintf("DSSEv1 %d %s %d %s", len(statementType), statementType, len(statement), statement)
	return encodeJSON(t, map[string]any{
		"mediaType": BundleType, "verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": "key"}},
		"dsseEnvelope": map[string]any{
			"payload": statement, "payloadType": statementType, "signatures": []any{map[string]any{"sig": k.sign(t, []byte(encoded))}},
		},
	})
}

// Statement returns a statement about a manifest.
func Statement(t testing.TB, manifest []byte, predicate string) []byte {
	t.Helper()
	sum := sha256.Sum256(manifest)
	return encodeJSON(t, map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate, "predicate": map[string]any{},
		"subject": []any{map[string]any{"name": "web", "digest": map[string]any{"sha256": hex.EncodeToString(sum[:])}}},
	})
}

func encodeJSON(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return text
}
