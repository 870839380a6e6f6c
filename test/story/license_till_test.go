package story_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// The parties of a purchase. The developer signs credentials and runs a checkout.
const (
	developer = "did:example:tools"
	product   = "tools-pro"
	holder    = "did:example:alice"
)

// seller has the keys of a developer, and a key of another party.
type seller struct {
	vault *vault
	ed    ed25519.PrivateKey
	rsa   *rsa.PrivateKey
	other ed25519.PrivateKey
}

func newSeller(v *vault) *seller {
	GinkgoHelper()
	s := &seller{vault: v}
	var err error
	_, s.ed, err = ed25519.GenerateKey(rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	_, s.other, err = ed25519.GenerateKey(rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	s.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	Expect(err).NotTo(HaveOccurred())
	return s
}

// keys returns the JSON Web Key Set of the developer.
func (s *seller) keys() string {
	GinkgoHelper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: s.ed.Public(), KeyID: "ed", Use: "sig"}, {Key: s.rsa.Public(), KeyID: "rsa", Use: "sig"},
	}})
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// claims returns valid claims with the given changes and a unique secret.
func (s *seller) claims(whose string, changes map[string]any) []byte {
	GinkgoHelper()
	now := time.Now()
	all := map[string]any{
		"iss": developer, "sub": holder, "product": product, "jti": s.vault.canary(whose),
		"nbf": now.Add(-time.Hour).Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(all, changes)
	text, err := json.Marshal(all)
	Expect(err).NotTo(HaveOccurred())
	return text
}

// sign returns a credential. Its signature is hidden in the vault too, so that a leak in an
// encoding that the vault does not search for is found by the signature.
func (s *seller) sign(algorithm jose.SignatureAlgorithm, name string, key any, claims []byte) string {
	GinkgoHelper()
	options := (&jose.SignerOptions{}).WithHeader("kid", name)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	Expect(err).NotTo(HaveOccurred())
	signed, err := signer.Sign(claims)
	Expect(err).NotTo(HaveOccurred())
	text, err := signed.CompactSerialize()
	Expect(err).NotTo(HaveOccurred())
	s.vault.hide("the signature of a credential", text[strings.LastIndex(text, ".")+1:])
	return text
}

// credential returns a validly signed credential.
func (s *seller) credential(whose string, changes map[string]any) string {
	GinkgoHelper()
	return s.sign(jose.EdDSA, "ed", s.ed, s.claims(whose, changes))
}

// public returns an RSA key of the set in PEM format.
func (s *seller) public() []byte {
	GinkgoHelper()
	text, err := x509.MarshalPKIXPublicKey(s.rsa.Public())
	Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: text})
}

// unsigned returns a credential with the algorithm "none" and the given text as signature.
func (s *seller) unsigned(whose, signature string) string {
	GinkgoHelper()
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(s.claims(whose, nil)) + "." + signature
}

// tampered returns the payload of one credential with the signature of another.
func (s *seller) tampered(whose string) string {
	GinkgoHelper()
	good := strings.Split(s.credential(whose, nil), ".")
	better := strings.Split(s.credential(whose, map[string]any{"exp": time.Now().AddDate(10, 0, 0).Unix()}), ".")
	return good[0] + "." + better[1] + "." + good[2]
}

// A till is a test checkout that returns scripted responses for each request.
type till struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string][]any // remaining responses; the last one is repeated
	asked   map[string][]string
}

func newTill() *till {
	GinkgoHelper()
	t := &till{answers: map[string][]any{}, asked: map[string][]string{}}
	t.Server = httptest.NewTLSServer(t)
	DeferCleanup(func() {
		t.CloseClientConnections()
		t.Close()
	})
	return t
}

// certificate returns the path of the certificate that a client must trust.
func (t *till) certificate() string {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), "till.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: t.Certificate().Raw})
	Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
	return path
}

// ServeHTTP implements http.Handler.
func (t *till) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var said struct{ Product, Request string }
	if err := json.NewDecoder(r.Body).Decode(&said); err != nil || r.Method != http.MethodPost {
		http.Error(w, "not a purchase", http.StatusBadRequest)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked[said.Request] = append(t.asked[said.Request], said.Product)
	left := t.answers[said.Request]
	if len(left) == 0 {
		http.Error(w, "not a customer", http.StatusForbidden)
		return
	}
	if len(left) > 1 {
		t.answers[said.Request] = left[1:]
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(left[0]) // The connection may be closed because the operator was killed.
}

// sells sets the responses to a request, in order.
func (t *till) sells(request string, answers ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers[request] = answers
}

// products returns the products that a request asked for, one for each time it was sent.
func (t *till) products(request string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.asked[request]...)
}

// Responses of a checkout.

func noRecord() any  { return map[string]any{"code": 1} }
func signAgain() any { return map[string]any{"code": 2} }
func bought(credential string) any {
	return map[string]any{"code": 0, "credential": credential}
}
