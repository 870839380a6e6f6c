package issuer

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Parts of responses that no error may contain.
const (
	fuzzNonce   = "nonce-of-the-browser"
	fuzzRefresh = "secret-refresh-token"
)

// fuzzKey signs one identity token.
var fuzzKey = ed25519.NewKeyFromSeed([]byte("a seed with exactly 32 characters"[:ed25519.SeedSize]))

// signToken returns a token with a signature.
func signToken(header, claims string) string {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(fuzzKey, []byte(signed)))
}

// fuzzIssuer responds with the metadata, the keys and the answer of its token endpoint.
type fuzzIssuer struct{ metadata, keys, answer string }

// RoundTrip implements http.RoundTripper.
func (i fuzzIssuer) RoundTrip(r *http.Request) (*http.Response, error) {
	body := i.keys
	switch {
	case r.URL.Path == "/.well-known/openid-configuration":
		body = i.metadata
	case r.Method == http.MethodPost:
		body = i.answer
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// FuzzIssuer signs in at an issuer with any metadata, keys and tokens. Only the token that was signed is accepted,
// addresses for the browser use https, and no error contains a token.
func FuzzIssuer(f *testing.F) {
	const (
		metadata = `{"issuer":"https://issuer.example","authorization_endpoint":"https://issuer.example/auth?tenant=a","token_endpoint":"https://issuer.example/token",` +
			`"jwks_uri":"https://issuer.example/keys","end_session_endpoint":"https://issuer.example/end","id_token_signing_alg_values_supported":["EdDSA","HS256","none"]}`
		header = `{"alg":"EdDSA","kid":"one"}`
		claims = `{"iss":"https://issuer.example","aud":"pages","sub":"alice","nonce":"` + fuzzNonce + `","exp":4102444800}`
	)
	keys := `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","alg":"EdDSA","use":"sig","x":"` +
		base64.RawURLEncoding.EncodeToString(fuzzKey.Public().(ed25519.PublicKey)) + `"}]}`
	answerOf := func(token string) string {
		answer, err := json.Marshal(map[string]any{"access_token": "a", "token_type": "Bearer", "refresh_token": fuzzRefresh, "id_token": token})
		if err != nil {
			f.Fatal(err)
		}
		return string(answer)
	}
	token := signToken(header, claims)
	if tokens, err := newFuzzIssuer(f, fuzzIssuer{metadata, keys, answerOf(token)}).ExchangeCode(f.Context(), "code", fuzzNonce, "verifier"); err != nil || tokens.ID != token {
		f.Fatalf("the signed token is not accepted: %v", err)
	}
	f.Add(metadata, keys, answerOf(token))
	f.Add(strings.Replace(metadata, "https://issuer.example/auth", "javascript:alert(1)//", 1), keys, answerOf(token))
	f.Add(strings.Replace(metadata, "https://issuer.example/end", "https://user:password@/end", 1), keys, answerOf(token))
	f.Add(metadata, `{"keys":[{"kty":"oct","kid":"one","k":"AAAA"}]}`, answerOf(signToken(`{"alg":"HS256","kid":"one"}`, claims)))
	f.Add(metadata, keys, answerOf(signToken(`{"alg":"none"}`, claims)))
	f.Add(metadata, keys, answerOf(signToken(header, strings.Replace(claims, "4102444800", "-1", 1))))
	f.Add(metadata, keys, answerOf(signToken(header, strings.Replace(claims, `"pages"`, `["other",{}]`, 1))))
	f.Add(metadata, keys, `{"error":"invalid_grant","error_description":"`+fuzzRefresh+`"}`)
	f.Add(strings.Repeat("[", 10_000), "", "access_token=a&id_token="+token)
	signed := token[:strings.LastIndex(token, ".")]
	f.Fuzz(func(t *testing.T, metadata, keys, answer string) {
		issuer := newFuzzIssuer(t, fuzzIssuer{metadata, keys, answer})
		tokens, exchangeErr := issuer.ExchangeCode(t.Context(), "code", fuzzNonce, "verifier")
		if exchangeErr == nil && !strings.HasPrefix(tokens.ID, signed+".") {
			t.Fatalf("another token than the signed one is accepted: %q", tokens.ID)
		}
		refreshed, refreshErr := issuer.RefreshTokens(Tokens{ID: token, Refresh: "old"})
		if refreshErr == nil && readClaims(refreshed.ID).Subject != "alice" {
			t.Fatalf("the token of another user is accepted: %q", refreshed.ID)
		}
		for _, err := range []error{exchangeErr, refreshErr} {
			if err == nil {
				continue
			}
			if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrRefused) && !errors.Is(err, ErrInvalidToken) {
				t.Fatalf("the error has no kind: %v", err)
			}
			if strings.Contains(err.Error(), fuzzRefresh) && !strings.Contains(metadata, fuzzRefresh) || strings.Contains(err.Error(), signed) && !strings.Contains(metadata, signed) {
				t.Fatalf("the error contains a token: %v", err)
			}
		}
		checkAddresses(t, issuer)
	})
}

// newFuzzIssuer returns an Issuer that gets its responses from i.
func newFuzzIssuer(t testing.TB, i fuzzIssuer) *Issuer {
	t.Helper()
	issuer, err := New(Options{URL: "https://issuer.example", ClientID: "pages", PublicURL: "https://market.example"})
	if err != nil {
		t.Fatal(err)
	}
	issuer.http.Transport = boundedTransport{i}
	return issuer
}

// checkAddresses checks the addresses to which the browser of a user is sent.
func checkAddresses(t *testing.T, issuer *Issuer) {
	t.Helper()
	signIn, err := issuer.SignInURL(t.Context(), "state", fuzzNonce, "verifier")
	if err != nil {
		return
	}
	signOut, err := issuer.SignOutURL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{signIn, signOut} {
		if address == "" {
			continue
		}
		if parsed, err := url.Parse(address); err != nil || parsed.Scheme != "https" || parsed.Host == "" {
			t.Fatalf("the browser is sent to %q: %v", address, err)
		}
	}
}
