package license_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/appmarket/operator/internal/license"
)

const (
	issuer  = "shop.example.com"
	product = "notes-paid"
	holder  = "did:example:alice"
	// private is contained in each credential, and must not be contained in an error.
	private = "confidential-to-alice"
)

// now is the time of each check. Each test changes the terms that newTerms returns.
var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func newTerms(keys []byte) license.Terms {
	return license.Terms{Issuer: issuer, Product: product, Subject: holder, Keys: keys}
}

// newClaims returns the claims of a valid credential with changes; nil removes a claim.
func newClaims(changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": issuer, "sub": holder, "product": product, "jti": private,
		"iat": unixTime(-time.Hour), "nbf": unixTime(-time.Hour), "exp": unixTime(time.Hour),
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

func unixTime(after time.Duration) int64 { return now.Add(after).Unix() }

// Keys of the issuer, and a key of another one.
var (
	rsaKey     = must(rsa.GenerateKey(rand.Reader, 2048))
	weakKey    = must(rsa.GenerateKey(rand.Reader, 1024))
	p256, p384 = ecKey(elliptic.P256()), ecKey(elliptic.P384())
	p521       = ecKey(elliptic.P521())
	edKey      = ed25519.NewKeyFromSeed([]byte("the seed of the issuer, 32 bytes"))
	otherKey   = ed25519.NewKeyFromSeed([]byte("the seed of another, of 32 bytes"))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func ecKey(curve elliptic.Curve) *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(curve, rand.Reader))
}

// newJWK returns the public half of a key.
func newJWK(key crypto.Signer, name string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key.Public(), KeyID: name}
}

func newKeySet(keys ...jose.JSONWebKey) []byte {
	return must(json.Marshal(jose.JSONWebKeySet{Keys: keys}))
}

// signToken returns a credential signed by the library.
func signToken(algorithm jose.SignatureAlgorithm, key any, claims any, headers map[jose.HeaderKey]any) string {
	opts := &jose.SignerOptions{}
	for name, value := range headers {
		opts.WithHeader(name, value)
	}
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, opts))
	payload, raw := claims.([]byte)
	if !raw {
		payload = must(json.Marshal(claims))
	}
	return must(must(signer.Sign(payload)).CompactSerialize())
}

// newCredential returns a valid credential signed with the issuer's Ed25519 key "ed".
func newCredential(changes map[string]any) string {
	return signToken(jose.EdDSA, edKey, newClaims(changes), map[jose.HeaderKey]any{"kid": "ed"})
}

func edKeys() []byte { return newKeySet(newJWK(edKey, "ed")) }

func encodePart(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// replacePart replaces one of the three parts of a credential.
func replacePart(t testing.TB, credential string, part int, text string) string {
	t.Helper()
	parts := strings.Split(credential, ".")
	if len(parts) != 3 || parts[part] == text {
		t.Fatalf("cannot replace part %d of %d", part, len(parts))
	}
	parts[part] = text
	return strings.Join(parts, ".")
}

// signRaw signs content with the Ed25519 key that the library would not sign.
func signRaw(header, payload string) string {
	text := encodePart(header) + "." + encodePart(payload)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(edKey, []byte(text)))
}

// signUnencoded returns a credential with a signature over the payload without encoding.
func signUnencoded(payload string) string {
	header := encodePart(`{"alg":"EdDSA","kid":"ed","b64":false,"crit":["b64"]}`)
	signature := ed25519.Sign(edKey, []byte(header+"."+payload))
	return header + "." + encodePart(payload) + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// signWithWeakKey returns a credential signed with a key that the library rejects.
func signWithWeakKey() string {
	text := encodePart(`{"alg":"RS256"}`) + "." + encodePart(string(must(json.Marshal(newClaims(nil)))))
	digest := sha256.Sum256([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(must(rsa.SignPKCS1v15(nil, weakKey, crypto.SHA256, digest[:])))
}
