package ui

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/ui/live"
	"github.com/appmarket/operator/ui/pages"
	"github.com/appmarket/operator/ui/session"
)

// writeCertificate writes a certificate and its key to a folder, and returns both. The certificate is its own
// authority.
func writeCertificate(t *testing.T, folder string, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	g := NewWithT(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{usage}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	g.Expect(err).NotTo(HaveOccurred())
	rawKey, err := x509.MarshalPKCS8PrivateKey(key)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.MkdirAll(folder, 0o700)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(folder, "tls.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(folder, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey}), 0o600)).To(Succeed())
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"))
	g.Expect(err).NotTo(HaveOccurred())
	return pair
}

// TestServerAsksTheProxyForItsCertificate sends requests over TLS with and without a client certificate. The
// handler takes them as if they came from the network of the proxy, because a test has only loopback addresses.
func TestServerAsksTheProxyForItsCertificate(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	writeCertificate(t, filepath.Join(folder, "server"), x509.ExtKeyUsageServerAuth)
	known := writeCertificate(t, filepath.Join(folder, "proxy"), x509.ExtKeyUsageClientAuth)
	unknown := writeCertificate(t, filepath.Join(folder, "other"), x509.ExtKeyUsageClientAuth)
	o, err := parseFlags([]string{
		"--auth=proxy", "--bind-address=:0", "--cert-dir=" + filepath.Join(folder, "server"),
		"--trusted-proxies=192.0.2.0/24, 2001:db8::/32", "--proxy-client-ca=" + filepath.Join(folder, "proxy", "tls.crt"),
	})
	g.Expect(err).NotTo(HaveOccurred())
	proxy, err := o.newProxy()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(proxy.Loopback).To(BeFalse())
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "192.0.2.7:1"
		found, err := proxy.Identify(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		g.Expect(found).To(Equal(session.Identity{User: "jane"}))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serveHTTP(ctx, o, handler, listener, live.NewHub(1), nil) }()

	roots, err := session.ReadCertificates(filepath.Join(folder, "server", "tls.crt"))
	g.Expect(err).NotTo(HaveOccurred())
	for _, c := range []struct {
		why          string
		certificates []tls.Certificate
		status       int
	}{
		{"the certificate of the proxy", []tls.Certificate{known}, http.StatusOK},
		{"another certificate", []tls.Certificate{unknown}, http.StatusForbidden},
		{"no certificate", nil, http.StatusForbidden},
	} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: c.certificates}}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+listener.Addr().String(), nil)
		g.Expect(err).NotTo(HaveOccurred())
		request.Header.Set("X-Forwarded-User", "jane")
		response, err := transport.RoundTrip(request)
		g.Expect(err).NotTo(HaveOccurred(), c.why)
		g.Expect(response.StatusCode).To(Equal(c.status), c.why)
		g.Expect(response.Body.Close()).To(Succeed())
		transport.CloseIdleConnections()
	}
	cancel()
	g.Eventually(done, "20s").Should(Receive(BeNil()))
}

// TestSignInMethods checks what the flags of each sign-in method configure.
func TestSignInMethods(t *testing.T) {
	folder := t.TempDir()
	writeCertificate(t, folder, x509.ExtKeyUsageClientAuth)
	secret := filepath.Join(folder, "secret")
	NewWithT(t).Expect(os.WriteFile(secret, []byte("secret\n"), 0o600)).To(Succeed())
	empty := filepath.Join(folder, "empty")
	NewWithT(t).Expect(os.WriteFile(empty, nil, 0o600)).To(Succeed())
	oidc := "--auth=oidc --oidc-client-id=pages --public-url=https://market.example --oidc-issuer-url="
	proxy := "--auth=proxy --trusted-proxies=10.0.0.0/8 --cert-dir=" + folder + " --proxy-client-ca="
	for _, c := range []struct{ flags, cookie, message string }{
		{"", "__Host-appmarket", ""},
		{"--auth=local --bind-address=127.0.0.1:8090", "appmarket-8090", ""},
		{oidc + "https://login.example --oidc-client-secret-file=" + secret + " --oidc-ca-file=" + filepath.Join(folder, "tls.crt"), "__Host-appmarket-oidc", ""},
		{proxy + filepath.Join(folder, "tls.crt"), "__Host-appmarket", ""},
		{oidc + "http://login.example", "", "must be an https URL"},
		{oidc + "https://user:password@login.example", "", "must be an https URL"},
		{oidc + "https://login.example --oidc-client-secret-file=" + empty, "", "is empty"},
		{oidc + "https://login.example --oidc-client-secret-file=missing", "", "read client secret"},
		{oidc + "https://login.example --oidc-ca-file=" + secret, "", "contains no certificate"},
		{proxy + "missing", "", "read certificates"},
	} {
		t.Run(c.flags, func(t *testing.T) {
			g := NewWithT(t)
			o, err := parseFlags(strings.Fields(c.flags))
			g.Expect(err).NotTo(HaveOccurred())
			po := pages.Options{}
			err = o.addSignIn(&po, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8090})
			if c.message != "" {
				g.Expect(err).To(MatchError(ContainSubstring(c.message)))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]bool{po.Link != nil, po.Issuer != nil, po.Proxy != nil}).To(Equal([]bool{o.auth == authLocal, o.auth == authOIDC, o.auth == authProxy}))
			networks, err := o.proxyNetworks()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(po.TrustedProxies).To(Equal(networks), "their headers name the client")
			w := httptest.NewRecorder()
			po.Cookies.Clear(w)
			g.Expect(w.Result().Cookies()[0].Name).To(Equal(c.cookie))
		})
	}
}
