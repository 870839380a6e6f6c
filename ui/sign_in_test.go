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
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/ui/live"
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
	go func() { done <- serveHTTP(ctx, o, handler, listener, live.NewHub(1)) }()

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
