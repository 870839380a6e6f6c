// Package issuer is an issuer of OpenID Connect for tests: it implements discovery, the authorization code
// flow with PKCE, refresh tokens that can be used once, and the end of sessions.
//
// The user is signed in at once. Fields change what the issuer does, so that a test can have it fail in
// each way.
package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// ClientID and Secret are the credentials of the only client.
const (
	ClientID = "appmarket-pages"
	Secret   = "client-secret-of-the-test"
)

// Server is an issuer. Its fields can be changed between requests, within Configure.
type Server struct {
	*httptest.Server

	// CAFile is a file with the certificate of the server.
	CAFile string

	mu     sync.Mutex
	key    *ecdsa.PrivateKey
	config Config
	grants map[string]grant
	calls  map[string]int
}

// Config is what an issuer does.
type Config struct {
	// Subject and Groups are the claims of the user.
	Subject string
	Groups  []string
	// Lifetime is the time for which identity tokens are valid.
	Lifetime time.Duration
	// Claims are added to identity tokens, and replace others.
	Claims map[string]any
	// Metadata is added to the metadata of the issuer, and replaces other values.
	Metadata map[string]any
	// NoRefresh means that no refresh tokens are issued, and NoIDToken that no identity tokens are.
	NoRefresh, NoIDToken bool
	// Answer answers each request instead of the issuer, if it is set and returns true.
	Answer func(http.ResponseWriter, *http.Request) bool
}

// grant is a code or a refresh token, which can be used once.
type grant struct {
	nonce, challenge string
	isRefresh        bool
}

// Start starts an issuer.
func Start(t testing.TB) *Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{key: key, grants: map[string]grant{}, calls: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.serveMetadata)
	mux.HandleFunc("GET /keys", s.serveKeys)
	mux.HandleFunc("GET /authorize", s.serveAuthorize)
	mux.HandleFunc("POST /token", s.serveToken)
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls[r.URL.Path]++
		answer := s.config.Answer
		s.mu.Unlock()
		if answer == nil || !answer(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	s.CAFile = filepath.Join(t.TempDir(), "ca.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(s.CAFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Configure(nil)
	return s
}

// Configure sets what the issuer does: the user jane, changed by a function, which can be nil.
func (s *Server) Configure(change func(*Config)) {
	c := Config{Subject: "jane", Groups: []string{"team"}, Lifetime: time.Hour}
	if change != nil {
		change(&c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config = c
}

// Calls returns the number of requests for a path.
func (s *Server) Calls(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[path]
}

// SecretFile writes the client secret to a file and returns its path.
func (s *Server) SecretFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *Server) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	metadata := map[string]any{
		"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token", "jwks_uri": s.URL + "/keys",
		"end_session_endpoint": s.URL + "/logout", "id_token_signing_alg_values_supported": []string{"ES256"},
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
	}
	maps.Copy(metadata, s.config.Metadata)
	writeJSON(w, http.StatusOK, metadata)
}

func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &s.key.PublicKey, KeyID: "test", Algorithm: "ES256", Use: "sig"}}})
}

// serveAuthorize signs the user in and sends the user back with a code.
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	back, err := url.Parse(query.Get("redirect_uri"))
	if err != nil || query.Get("client_id") != ClientID || query.Get("response_type") != "code" || query.Get("code_challenge_method") != "S256" {
		http.Error(w, "invalid request", http.StatusBadRequest)
		return
	}
	code := s.addGrant(grant{nonce: query.Get("nonce"), challenge: query.Get("code_challenge")})
	back.RawQuery = url.Values{"code": {code}, "state": {query.Get("state")}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (s *Server) addGrant(g grant) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	code := rand.Text()
	s.grants[code] = g
	return code
}

// takeGrant returns a code or a refresh token, which is not valid afterwards.
func (s *Server) takeGrant(code string) (grant, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.grants[code]
	delete(s.grants, code)
	return g, ok
}

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	if id, secret, ok := r.BasicAuth(); !ok || id != ClientID || secret != Secret {
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	isRefresh := r.PostFormValue("grant_type") == "refresh_token"
	name := "code"
	if isRefresh {
		name = "refresh_token"
	}
	g, ok := s.takeGrant(r.PostFormValue(name))
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || g.isRefresh != isRefresh || !isRefresh && base64.RawURLEncoding.EncodeToString(challenge[:]) != g.challenge {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	s.mu.Lock()
	config := s.config
	s.mu.Unlock()
	token, err := s.SignToken(g.nonce)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer := map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": int(config.Lifetime.Seconds())}
	if !config.NoIDToken {
		answer["id_token"] = token
	}
	if !config.NoRefresh {
		answer["refresh_token"] = s.addGrant(grant{nonce: g.nonce, isRefresh: true})
	}
	writeJSON(w, http.StatusOK, answer)
}

// SignToken returns an identity token of the user.
func (s *Server) SignToken(nonce string) (string, error) {
	s.mu.Lock()
	config := s.config
	s.mu.Unlock()
	now := time.Now()
	claims := map[string]any{
		"iss": s.URL, "aud": ClientID, "sub": config.Subject, "groups": config.Groups, "nonce": nonce,
		"iat": now.Unix(), "exp": now.Add(config.Lifetime).Unix(), "jti": rand.Text(),
	}
	maps.Copy(claims, config.Claims)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: "test"}}, nil)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // The client notices a response that is cut.
}
