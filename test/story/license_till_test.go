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

// A developer sells an app: signs credentials, and keeps a checkout.
const (
	developer = "did:example:tools"
	product   = "tools-pro"
	holder    = "did:example:alice"
)

// seller has the keys of a developer, and of somebody else.
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

// keys is the key set that the developer publishes.
func (s *seller) keys() string {
	GinkgoHelper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: s.ed.Public(), KeyID: "ed", Use: "sig"}, {Key: s.rsa.Public(), KeyID: "rsa", Use: "sig"},
	}})
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// claims are those of a good credential, changed as given, with a secret of their own.
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

// sign makes a credential. Its signature is a secret too: whoever shows it in a form
// of which nobody has thought shows this.
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

// credential is signed as it should be.
func (s *seller) credential(whose string, changes map[string]any) string {
	GinkgoHelper()
	return s.sign(jose.EdDSA, "ed", s.ed, s.claims(whose, changes))
}

// public is a key of the set as others write it down.
func (s *seller) public() []byte {
	GinkgoHelper()
	text, err := x509.MarshalPKIXPublicKey(s.rsa.Public())
	Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: text})
}

// unsigned is a credential that says of itself that nobody signed it, with what
// stands in the place of a signature.
func (s *seller) unsigned(whose, signature string) string {
	GinkgoHelper()
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(s.claims(whose, nil)) + "." + signature
}

// tampered has the payload of one credential and the signature of another.
func (s *seller) tampered(whose string) string {
	GinkgoHelper()
	good := strings.Split(s.credential(whose, nil), ".")
	better := strings.Split(s.credential(whose, map[string]any{"exp": time.Now().AddDate(10, 0, 0).Unix()}), ".")
	return good[0] + "." + better[1] + "." + good[2]
}

// A till is the checkout of a developer. It knows what to answer to each request.
type till struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string][]any // those left; the last one is given again and again
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

// certificate is a file with what whoever asks must trust.
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
	_ = json.NewEncoder(w).Encode(left[0]) // The operator may have been killed.
}

// sells has requests answered in this order.
func (t *till) sells(request string, answers ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers[request] = answers
}

// products are those that were asked for by a request, once for each time.
func (t *till) products(request string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.asked[request]...)
}

// What a checkout answers.

func noRecord() any  { return map[string]any{"code": 1} }
func signAgain() any { return map[string]any{"code": 2} }
func bought(credential string) any {
	return map[string]any{"code": 0, "credential": credential}
}
