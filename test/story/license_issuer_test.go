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

// The subjects of a purchase. The developer signs credentials and runs a checkout.
const (
	developer = "did:example:tools"
	product   = "tools-pro"
	holder    = "did:example:alice"
)

// credentialIssuer has the keys of a developer, and a key of another issuer.
type credentialIssuer struct {
	search *secretSearch
	ed     ed25519.PrivateKey
	rsa    *rsa.PrivateKey
	other  ed25519.PrivateKey
}

func newCredentialIssuer(v *secretSearch) *credentialIssuer {
	GinkgoHelper()
	i := &credentialIssuer{search: v}
	var err error
	_, i.ed, err = ed25519.GenerateKey(rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	_, i.other, err = ed25519.GenerateKey(rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	i.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	Expect(err).NotTo(HaveOccurred())
	return i
}

// keySet returns the JSON Web Key Set of the developer.
func (i *credentialIssuer) keySet() string {
	GinkgoHelper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: i.ed.Public(), KeyID: "ed", Use: "sig"}, {Key: i.rsa.Public(), KeyID: "rsa", Use: "sig"},
	}})
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// newClaims returns valid claims with the given changes and a unique secret.
func (i *credentialIssuer) newClaims(owner string, changes map[string]any) []byte {
	GinkgoHelper()
	now := time.Now()
	all := map[string]any{
		"iss": developer, "sub": holder, "product": product, "jti": i.search.newCanary(owner),
		"nbf": now.Add(-time.Hour).Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(all, changes)
	text, err := json.Marshal(all)
	Expect(err).NotTo(HaveOccurred())
	return text
}

// signClaims returns a credential. Its signature is added to the search too, so that a leak in an
// encoding that is not searched for is found by the signature.
func (i *credentialIssuer) signClaims(algorithm jose.SignatureAlgorithm, name string, key any, claims []byte) string {
	GinkgoHelper()
	options := (&jose.SignerOptions{}).WithHeader("kid", name)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	Expect(err).NotTo(HaveOccurred())
	signed, err := signer.Sign(claims)
	Expect(err).NotTo(HaveOccurred())
	text, err := signed.CompactSerialize()
	Expect(err).NotTo(HaveOccurred())
	i.search.addSecret("the signature of a credential", text[strings.LastIndex(text, ".")+1:])
	return text
}

// newCredential returns a validly signed credential.
func (i *credentialIssuer) newCredential(owner string, changes map[string]any) string {
	GinkgoHelper()
	return i.signClaims(jose.EdDSA, "ed", i.ed, i.newClaims(owner, changes))
}

// publicKey returns an RSA key of the set in PEM format.
func (i *credentialIssuer) publicKey() []byte {
	GinkgoHelper()
	text, err := x509.MarshalPKIXPublicKey(i.rsa.Public())
	Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: text})
}

// unsignedCredential returns a credential with the algorithm "none" and the given text as signature.
func (i *credentialIssuer) unsignedCredential(owner, signature string) string {
	GinkgoHelper()
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(i.newClaims(owner, nil)) + "." + signature
}

// tamperedCredential returns the payload of one credential with the signature of another.
func (i *credentialIssuer) tamperedCredential(owner string) string {
	GinkgoHelper()
	good := strings.Split(i.newCredential(owner, nil), ".")
	better := strings.Split(i.newCredential(owner, map[string]any{"exp": time.Now().AddDate(10, 0, 0).Unix()}), ".")
	return good[0] + "." + better[1] + "." + good[2]
}

// A checkoutServer is a checkout that returns scripted responses for each request.
type checkoutServer struct {
	*httptest.Server
	mu        sync.Mutex
	responses map[string][]any // remaining responses; the last one is repeated
	requested map[string][]string
}

func newCheckoutServer() *checkoutServer {
	GinkgoHelper()
	s := &checkoutServer{responses: map[string][]any{}, requested: map[string][]string{}}
	s.Server = httptest.NewTLSServer(s)
	DeferCleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// certificatePath returns the path of the certificate that a client must trust.
func (s *checkoutServer) certificatePath() string {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), "checkout.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
	return path
}

// ServeHTTP implements http.Handler.
func (s *checkoutServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var purchase struct{ Product, Request string }
	if err := json.NewDecoder(r.Body).Decode(&purchase); err != nil || r.Method != http.MethodPost {
		http.Error(w, "not a purchase", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requested[purchase.Request] = append(s.requested[purchase.Request], purchase.Product)
	responses := s.responses[purchase.Request]
	if len(responses) == 0 {
		http.Error(w, "unknown request", http.StatusForbidden)
		return
	}
	if len(responses) > 1 {
		s.responses[purchase.Request] = responses[1:]
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(responses[0]) // The connection may be closed because the operator was killed.
}

// setResponses sets the responses to a request, in order.
func (s *checkoutServer) setResponses(request string, responses ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.responses[request] = responses
}

// requestedProducts returns the products that a request asked for, one for each time it was sent.
func (s *checkoutServer) requestedProducts(request string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requested[request]...)
}

// Responses of a checkout.

func noRecordResponse() any { return map[string]any{"code": 1} }
func rejectedResponse() any { return map[string]any{"code": 2} }
func soldResponse(credential string) any {
	return map[string]any{"code": 0, "credential": credential}
}
