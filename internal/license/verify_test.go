package license_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/outcome"
)

func TestCheckAlgorithms(t *testing.T) {
	t.Parallel()
	for algorithm, key := range map[jose.SignatureAlgorithm]any{
		jose.RS256: rsaKey, jose.RS384: rsaKey, jose.RS512: rsaKey,
		jose.PS256: rsaKey, jose.PS384: rsaKey, jose.PS512: rsaKey,
		jose.ES256: p256, jose.ES384: p384, jose.ES512: p521, jose.EdDSA: edKey,
	} {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			all := newKeySet(newJWK(otherKey, "0"), newJWK(rsaKey, "1"), newJWK(p256, "2"), newJWK(p384, "3"), newJWK(p521, "4"), newJWK(edKey, "5"))
			got, err := license.Check(signToken(algorithm, key, newClaims(nil), nil), newTerms(all), now)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(license.Claims{Issuer: issuer, Product: product, Subject: holder, Expires: now.Add(time.Hour)}))

			_, err = license.Check(signToken(algorithm, key, newClaims(nil), nil), newTerms(newKeySet(newJWK(otherKey, ""), newJWK(ecKey(p256.Curve), ""))), now)
			expectStalled(g, err, v1alpha1.ReasonLicenseInvalid)
		})
	}
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	verifiable := func(subject any) map[string]any {
		return map[string]any{"product": nil, "vc": map[string]any{"type": []string{"VerifiableCredential"}, "credentialSubject": subject}}
	}
	for _, c := range []struct {
		why        string
		credential string
		change     func(*license.Terms)
	}{
		{why: "the product that was bought", credential: newCredential(nil)},
		{why: "surrounding white space", credential: " \t" + newCredential(nil) + "\r\n"},
		{why: "any subject", credential: newCredential(map[string]any{"sub": "did:example:anyone"}), change: func(t *license.Terms) { t.Subject = "" }},
		{why: "no subject, with any subject allowed", credential: newCredential(map[string]any{"sub": nil}), change: func(t *license.Terms) { t.Subject = "" }},
		{why: "product_id", credential: newCredential(map[string]any{"product": nil, "product_id": product})},
		{why: "the same product twice", credential: newCredential(map[string]any{"product_id": product})},
		{why: "a verifiable credential", credential: newCredential(verifiable(map[string]any{"id": holder, "product": product}))},
		{why: "productId", credential: newCredential(verifiable(map[string]any{"productId": product}))},
		{why: "a list of subjects", credential: newCredential(verifiable([]any{map[string]any{"id": holder}, map[string]any{"productId": product}}))},
		{why: "only an expiry", credential: newCredential(map[string]any{"iat": nil, "nbf": nil})},
		{why: "a time with a fraction", credential: newCredential(map[string]any{"exp": float64(unixTime(time.Hour)) + 0.5})},
		{why: "an audience, which is ignored", credential: newCredential(map[string]any{"aud": []string{"a", "b"}})},
		{why: "nbf in the future, within the skew", credential: newCredential(map[string]any{"nbf": unixTime(50 * time.Second)})},
		{why: "iat in the future, within the skew", credential: newCredential(map[string]any{"iat": unixTime(50 * time.Second)})},
		{why: "expired within the skew", credential: newCredential(map[string]any{"exp": unixTime(-50 * time.Second)})},
		{why: "a configured skew", credential: newCredential(map[string]any{"exp": unixTime(-4 * time.Minute)}), change: func(t *license.Terms) { t.Skew = 5 * time.Minute }},
		{why: "a single key instead of a set", credential: newCredential(nil), change: func(t *license.Terms) { t.Keys = must(newJWK(edKey, "ed").MarshalJSON()) }},
		{why: "a key without a name", credential: newCredential(nil), change: func(t *license.Terms) { t.Keys = newKeySet(newJWK(edKey, "")) }},
		{why: "a key with use and algorithm", credential: newCredential(nil), change: func(t *license.Terms) {
			key := newJWK(edKey, "ed")
			key.Use, key.Algorithm = "sig", "EdDSA"
			t.Keys = newKeySet(key)
		}},
		{why: "two keys of one name", credential: newCredential(nil), change: func(t *license.Terms) { t.Keys = newKeySet(newJWK(otherKey, "ed"), newJWK(edKey, "ed")) }},
		{why: "other keys that are not supported", credential: newCredential(nil), change: func(t *license.Terms) {
			t.Keys = []byte(`{"keys": [7, {"kty": "NEW", "kid": "ed"}, {"kty": "EC", "crv": "P-256"}, ` + string(must(newJWK(edKey, "ed").MarshalJSON())) + `]}`)
		}},
		{why: "another key in the header, which is ignored", credential: signToken(jose.EdDSA, edKey, newClaims(nil), map[jose.HeaderKey]any{"jwk": newJWK(otherKey, "ed"), "jku": "https://evil.example/keys"})},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			asked := newTerms(edKeys())
			if c.change != nil {
				c.change(&asked)
			}
			_, err := license.Check(c.credential, asked, now)
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
		})
	}
}

func TestCheckRejectsClaims(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why     string
		changes map[string]any
		reason  string
	}{
		{why: "expired", changes: map[string]any{"exp": unixTime(-61 * time.Second)}, reason: v1alpha1.ReasonLicenseExpired},
		{why: "expired long ago", changes: map[string]any{"exp": 0}, reason: v1alpha1.ReasonLicenseExpired},
		{why: "expired at a negative time", changes: map[string]any{"exp": -1e18}, reason: v1alpha1.ReasonLicenseExpired},
		{why: "no expiry", changes: map[string]any{"exp": nil}},
		{why: "an expiry that is a string", changes: map[string]any{"exp": "2099-01-01"}},
		{why: "an expiry that is out of range", changes: map[string]any{"exp": 1e300}},
		{why: "not valid yet", changes: map[string]any{"nbf": unixTime(61 * time.Second)}, reason: v1alpha1.ReasonLicenseNotYetValid},
		{why: "issued in the future", changes: map[string]any{"iat": unixTime(time.Hour)}, reason: v1alpha1.ReasonLicenseNotYetValid},
		{why: "another issuer", changes: map[string]any{"iss": "shop.example.com.evil.example"}},
		{why: "no issuer", changes: map[string]any{"iss": nil}},
		{why: "an issuer in different case", changes: map[string]any{"iss": "Shop.example.com"}},
		{why: "another subject", changes: map[string]any{"sub": "did:example:mallory"}},
		{why: "no subject", changes: map[string]any{"sub": nil}},
		{why: "another product", changes: map[string]any{"product": "notes"}},
		{why: "no product", changes: map[string]any{"product": nil}},
		{why: "an empty product", changes: map[string]any{"product": ""}},
		{why: "several products", changes: map[string]any{"product_id": "photos-paid"}},
		{why: "several products, one in a verifiable credential", changes: map[string]any{"vc": map[string]any{"credentialSubject": map[string]any{"productId": "photos-paid"}}}},
		{why: "several subjects with several products", changes: map[string]any{"product": nil, "vc": map[string]any{
			"credentialSubject": []any{map[string]any{"productId": product}, map[string]any{"productId": "photos-paid"}}}}},
		{why: "a list of products", changes: map[string]any{"product": []string{product}}},
		{why: "a subject that is not an object", changes: map[string]any{"vc": map[string]any{"credentialSubject": "alice"}}},
		{why: "a claim in different case", changes: map[string]any{"product": nil, "Product": product}},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			reason := c.reason
			if reason == "" {
				reason = v1alpha1.ReasonLicenseInvalid
			}
			_, err := license.Check(newCredential(c.changes), newTerms(edKeys()), now)
			expectStalled(NewWithT(t), err, reason)
		})
	}
}

func TestCheckLimitsTheSkew(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	asked := newTerms(edKeys())
	asked.Skew = 24 * time.Hour
	_, err := license.Check(newCredential(map[string]any{"exp": unixTime(-6 * time.Minute)}), asked, now)
	expectStalled(g, err, v1alpha1.ReasonLicenseExpired)
	asked.Skew = -time.Hour
	_, err = license.Check(newCredential(map[string]any{"exp": unixTime(-time.Second)}), asked, now)
	g.Expect(err).NotTo(HaveOccurred(), "a negative skew is the default")
}

func TestCheckLimitsTheExpiry(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	got, err := license.Check(newCredential(map[string]any{"exp": 1e18}), newTerms(edKeys()), now)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = got.Expires.MarshalJSON()
	g.Expect(err).NotTo(HaveOccurred(), "the time can be stored in a status")
}

func TestCheckRejectsForgeries(t *testing.T) {
	t.Parallel()
	const header = `{"alg":"EdDSA","kid":"ed"}`
	valid := newCredential(nil)
	claims := must(base64.RawURLEncoding.DecodeString(strings.Split(valid, ".")[1]))
	for _, c := range []struct {
		why        string
		credential string
		reason     string
	}{
		{why: "nothing", credential: "", reason: v1alpha1.ReasonLicenseNotFound},
		{why: "white space", credential: " \n", reason: v1alpha1.ReasonLicenseNotFound},
		{why: "no token", credential: "please"},
		{why: "three dots", credential: "..."},
		{why: "two dots", credential: ".."},
		{why: "a fourth part", credential: valid + ".x"},
		{why: "huge", credential: strings.Repeat("a", license.MaxCredentialBytes+1)},
		{why: "huge white space", credential: strings.Repeat(" ", license.MaxCredentialBytes) + valid},
		{why: "truncated", credential: valid[:len(valid)-4]},
		{why: "no signature", credential: replacePart(t, valid, 2, "")},
		{why: "a zero signature", credential: replacePart(t, valid, 2, encodePart(strings.Repeat("\x00", 64)))},
		{why: "a line break within", credential: valid[:20] + "\n" + valid[20:]},
		{why: "the JSON form", credential: `{"payload":"` + strings.Split(valid, ".")[1] + `","protected":"` + strings.Split(valid, ".")[0] + `","signature":"` + strings.Split(valid, ".")[2] + `"}`},
		{why: "a changed payload", credential: replacePart(t, valid, 1, encodePart(strings.Replace(string(claims), product, "x"+product, 1)))},
		{why: "a payload of another credential", credential: replacePart(t, valid, 1, strings.Split(newCredential(map[string]any{"exp": unixTime(2 * time.Hour)}), ".")[1])},
		{why: "a changed header", credential: replacePart(t, valid, 0, encodePart(`{"alg":"EdDSA","kid":"ed","typ":"JWT"}`))},
		{why: "the algorithm none", credential: encodePart(`{"alg":"none","kid":"ed"}`) + "." + encodePart(string(claims)) + "."},
		{why: "the algorithm none, with a signature", credential: replacePart(t, valid, 0, encodePart(`{"alg":"none","kid":"ed"}`))},
		{why: "no algorithm", credential: signRaw(`{"kid":"ed"}`, string(claims))},
		{why: "an algorithm twice", credential: signRaw(`{"alg":"none","alg":"EdDSA","kid":"ed"}`, string(claims))},
		{why: "the key of another issuer", credential: signToken(jose.EdDSA, otherKey, newClaims(nil), map[jose.HeaderKey]any{"kid": "ed"})},
		{why: "the key of another issuer, in the header", credential: signToken(jose.EdDSA, otherKey, newClaims(nil), map[jose.HeaderKey]any{"kid": "ed", "jwk": newJWK(otherKey, "ed")})},
		{why: "the key of another issuer, at a URL", credential: signToken(jose.EdDSA, otherKey, newClaims(nil), map[jose.HeaderKey]any{"kid": "ed", "jku": "https://evil.example/keys", "x5u": "https://evil.example/chain"})},
		{why: "a private key in the header", credential: signToken(jose.EdDSA, otherKey, newClaims(nil), map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: otherKey}})},
		{why: "a header with crit", credential: signRaw(`{"alg":"EdDSA","kid":"ed","crit":["exp"],"exp":1}`, string(claims))},
		{why: "a payload that is not encoded (RFC 7797)", credential: signUnencoded(string(claims))},
		{why: "a kid that is not a string", credential: signRaw(`{"alg":"EdDSA","kid":["`+private+`"]}`, string(claims))},
		{why: "a header that is not JSON", credential: signRaw(`EdDSA`, string(claims))},
		{why: "a payload that is not JSON", credential: signRaw(header, private)},
		{why: "a payload that is a list", credential: signRaw(header, "["+string(claims)+"]")},
		{why: "a payload with a duplicate claim", credential: signRaw(header, `{"product":"`+product+`",`+string(claims[1:]))},
		{why: "a payload with trailing data", credential: signRaw(header, string(claims)+"{}")},
		{why: "a deeply nested payload", credential: signRaw(header, strings.Repeat("[", 40_000))},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			reason := c.reason
			if reason == "" {
				reason = v1alpha1.ReasonLicenseInvalid
			}
			_, err := license.Check(c.credential, newTerms(edKeys()), now)
			expectStalled(NewWithT(t), err, reason)
		})
	}
}

func TestCheckRejectsIncompleteTerms(t *testing.T) {
	t.Parallel()
	for why, change := range map[string]func(*license.Terms){
		"no issuer":  func(t *license.Terms) { t.Issuer = "" },
		"no product": func(t *license.Terms) { t.Product = "" },
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			asked := newTerms(edKeys())
			change(&asked)
			_, err := license.Check(newCredential(map[string]any{"product": asked.Product}), asked, now)
			expectStalled(NewWithT(t), err, v1alpha1.ReasonLicenseInvalid)
		})
	}
}

// expectStalled checks that an error is final and contains nothing that only the credential
// contains.
func expectStalled(g *WithT, err error, reason string) {
	g.THelper()
	g.Expect(outcome.IsStalled(err)).To(BeTrue(), "got %v", err)
	g.Expect(outcome.Reason(err, "")).To(Equal(reason))
	g.Expect(err).To(MatchError(And(
		Not(ContainSubstring(private)), Not(ContainSubstring("eyJ")), Not(ContainSubstring("evil")), Not(ContainSubstring(holder)))))
	g.Expect(len(err.Error())).To(BeNumerically("<", 300))
}
