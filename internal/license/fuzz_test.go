package license_test

import (
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/outcome"
)

// FuzzCheck searches for a credential that is accepted although the issuer did not sign
// exactly this credential, and for an error that is not final or reveals too much.
func FuzzCheck(f *testing.F) {
	keys := newKeySet(newJWK(rsaKey, "rsa"), newJWK(p256, "ec"), newJWK(edKey, "ed"))
	signed := map[string]bool{}
	for name, credential := range map[string]string{
		"rsa": signToken(jose.RS256, rsaKey, newClaims(nil), map[jose.HeaderKey]any{"kid": "rsa"}),
		"ec":  signToken(jose.ES256, p256, newClaims(nil), map[jose.HeaderKey]any{"kid": "ec"}),
		"ed":  newCredential(nil),
		"any": signToken(jose.EdDSA, edKey, newClaims(map[string]any{"vc": map[string]any{"credentialSubject": []any{map[string]any{"productId": product}}}}), nil),
	} {
		signed[signedPart(credential)] = true
		f.Add(credential)
		f.Add(replacePart(f, credential, 0, encodePart(`{"alg":"none","kid":"`+name+`"}`)))
		f.Add(replacePart(f, credential, 2, ""))
	}
	f.Add(signToken(jose.HS256, keys, newClaims(nil), map[jose.HeaderKey]any{"kid": "rsa"}))
	f.Add(signToken(jose.EdDSA, otherKey, newClaims(nil), map[jose.HeaderKey]any{"jwk": newJWK(otherKey, "")}))
	f.Add(newCredential(map[string]any{"exp": 0}))
	f.Add("...")
	f.Fuzz(func(t *testing.T, credential string) {
		got, err := license.Check(credential, newTerms(keys), now)
		if err == nil {
			if !signed[signedPart(strings.TrimSpace(credential))] || got.Product != product || got.Subject != holder {
				t.Fatalf("accepted %q as %+v", credential, got)
			}
			return
		}
		if got != (license.Claims{}) || !outcome.IsStalled(err) || !strings.HasPrefix(outcome.Reason(err, ""), "License") {
			t.Fatalf("got %+v with error %v", got, err)
		}
		if len(err.Error()) > 300 || len(credential) > 50 && strings.Contains(err.Error(), credential) {
			t.Fatalf("the error reveals too much: %v", err)
		}
	})
}

// signedPart returns the part of a credential that its signature covers.
func signedPart(credential string) string {
	return credential[:max(0, strings.LastIndexByte(credential, '.'))]
}

// FuzzKeys checks that a credential is rejected if none of the keys in an arbitrary key set
// signed it.
func FuzzKeys(f *testing.F) {
	f.Add(newKeySet(newJWK(rsaKey, "ed"), newJWK(p256, "ed"), newJWK(otherKey, "ed")))
	f.Add(must(newJWK(otherKey, "ed").MarshalJSON()))
	f.Add([]byte(`{"keys": [{"kty": "oct", "k": "AA"}, {"kty": "RSA", "n": "AQ", "e": "AQAB"}, {"kty": "EC", "crv": "P-256", "x": "", "y": ""}]}`))
	credential := newCredential(nil)
	f.Fuzz(func(t *testing.T, keys []byte) {
		_, err := license.Check(credential, newTerms(keys), now)
		reason := outcome.Reason(err, "")
		if !outcome.IsStalled(err) || reason != v1alpha1.ReasonLicenseInvalid && reason != v1alpha1.ReasonLicenseKeysUnavailable {
			t.Fatalf("got %v", err)
		}
	})
}
