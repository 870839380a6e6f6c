package license_test

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/outcome"
)

func TestCheckRejectsKeys(t *testing.T) {
	t.Parallel()
	change := func(signer crypto.Signer, change func(*jose.JSONWebKey)) []byte {
		key := newJWK(signer, "ed")
		change(&key)
		return newKeySet(key)
	}
	secret := jose.JSONWebKey{Key: []byte(strings.Repeat("s", 64)), KeyID: "ed"}
	for _, c := range []struct {
		why        string
		credential string
		keys       []byte
		unknown    bool
	}{
		{why: "a set without keys", credential: newCredential(nil), keys: []byte(`{"keys": []}`), unknown: true},
		{why: "a key of another name", credential: newCredential(nil), keys: change(edKey, func(k *jose.JSONWebKey) { k.KeyID = "old" }), unknown: true},
		{why: "the name of another issuer's key", credential: newCredential(nil), keys: newKeySet(newJWK(otherKey, "ed"), newJWK(edKey, ""), newJWK(edKey, "old"))},
		{why: "a key to encrypt", credential: newCredential(nil), keys: change(edKey, func(k *jose.JSONWebKey) { k.Use = "enc" }), unknown: true},
		{why: "a key to sign only", credential: newCredential(nil), keys: []byte(strings.Replace(string(edKeys()), `"kty"`, `"key_ops":["sign"],"kty"`, 1)), unknown: true},
		{why: "a key for another algorithm", credential: signToken(jose.RS256, rsaKey, newClaims(nil), nil),
			keys: change(rsaKey, func(k *jose.JSONWebKey) { k.Algorithm = "PS256" }), unknown: true},
		{why: "a key of another curve", credential: signToken(jose.ES256, p256, newClaims(nil), nil), keys: newKeySet(newJWK(p384, "")), unknown: true},
		{why: "an RSA key of 1024 bits", credential: signWithWeakKey(), keys: newKeySet(newJWK(weakKey, "")), unknown: true},
		{why: "a private key", credential: newCredential(nil), keys: change(edKey, func(k *jose.JSONWebKey) { k.Key = edKey }), unknown: true},
		{why: "a key with a secret", credential: newCredential(nil), keys: []byte(strings.Replace(string(edKeys()), `"kty"`, `"k":"AA","kty"`, 1)), unknown: true},
		{why: "a secret key", credential: signToken(jose.HS256, secret.Key, newClaims(nil), map[jose.HeaderKey]any{"kid": "ed"}), keys: newKeySet(secret)},
		{why: "a single secret key", credential: signToken(jose.HS512, secret.Key, newClaims(nil), nil), keys: must(secret.MarshalJSON())},
		{why: "too many matching keys", credential: newCredential(nil), keys: manyKeys(21)},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			_, err := license.Check(c.credential, newTerms(c.keys), now)
			expectStalled(g, err, v1alpha1.ReasonLicenseInvalid)
			if c.unknown {
				g.Expect(err).To(MatchError(license.ErrUnknownKey))
			} else {
				g.Expect(err).NotTo(MatchError(license.ErrUnknownKey))
			}
		})
	}
}

func TestCheckTriesAllMatchingKeys(t *testing.T) {
	t.Parallel()
	_, err := license.Check(newCredential(nil), newTerms(manyKeys(20)), now)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

// manyKeys returns keys without a name; the issuer's own key is the last one.
func manyKeys(count int) []byte {
	keys := make([]jose.JSONWebKey, count)
	for i := range keys {
		keys[i] = newJWK(otherKey, "")
	}
	keys[count-1] = newJWK(edKey, "")
	return newKeySet(keys...)
}

// TestCheckConfusion signs with HMAC and the issuer's public key as the secret.
func TestCheckConfusion(t *testing.T) {
	t.Parallel()
	public := must(x509.MarshalPKIXPublicKey(rsaKey.Public()))
	set := newKeySet(newJWK(rsaKey, "rsa"))
	for why, secret := range map[string][]byte{
		"the PEM":     pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		"the DER":     public,
		"the JWK":     must(newJWK(rsaKey, "rsa").MarshalJSON()),
		"the set":     set,
		"the modulus": rsaKey.N.Bytes(),
	} {
		for _, algorithm := range []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512} {
			t.Run(fmt.Sprintf("%s with %s", why, algorithm), func(t *testing.T) {
				t.Parallel()
				forged := signToken(algorithm, secret, newClaims(nil), map[jose.HeaderKey]any{"kid": "rsa"})
				_, err := license.Check(forged, newTerms(set), now)
				expectStalled(NewWithT(t), err, v1alpha1.ReasonLicenseInvalid)
			})
		}
	}
}

func TestCheckUnreadableKeys(t *testing.T) {
	t.Parallel()
	many, err := json.Marshal(map[string]any{"keys": make([]int, 101)})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for why, keys := range map[string]string{
		"none":                     "",
		"HTML":                     "<html></html>",
		"PEM":                      "-----BEGIN PUBLIC KEY-----",
		"an object without keys":   `{"jwks_uri": "https://a.example"}`,
		"a list":                   `[]`,
		"keys that are not a list": `{"keys": {}}`,
		"keys of null":             `{"keys": null}`,
		"two sets":                 `{"keys": [], "keys": []}`,
		"too large":                `{"keys": [], "x": "` + strings.Repeat("x", license.MaxKeySetBytes) + `"}`,
		"too many":                 string(many),
		"too deep":                 strings.Repeat("[", 100_000),
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			_, err := license.Check(newCredential(nil), newTerms([]byte(keys)), now)
			expectStalled(NewWithT(t), err, v1alpha1.ReasonLicenseKeysUnavailable)
			NewWithT(t).Expect(outcome.IsStalled(err)).To(BeTrue())
		})
	}
}
