package session

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	g := NewWithT(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	g.Expect(err).NotTo(HaveOccurred())
	certificate, err := x509.ParseCertificate(raw)
	g.Expect(err).NotTo(HaveOccurred())
	return authority{certificate, key}
}

// signCertificate returns a certificate for a usage that ends at a time.
func (a authority) signCertificate(t *testing.T, usage x509.ExtKeyUsage, end time.Time) *x509.Certificate {
	t.Helper()
	g := NewWithT(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	raw, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "proxy"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}, a.certificate, &key.PublicKey, a.key)
	g.Expect(err).NotTo(HaveOccurred())
	certificate, err := x509.ParseCertificate(raw)
	g.Expect(err).NotTo(HaveOccurred())
	return certificate
}

func (a authority) writeFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
	NewWithT(t).Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
	return path
}

// newProxyRequest returns a request from an address with headers, each in the form "name: value".
func newProxyRequest(address string, certificate *x509.Certificate, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = address
	if certificate != nil {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// TestOnlyTheProxyIsTrusted sends a user name from each kind of client.
func TestOnlyTheProxyIsTrusted(t *testing.T) {
	own, foreign := newAuthority(t), newAuthority(t)
	soon := time.Now().Add(time.Hour)
	valid := own.signCertificate(t, x509.ExtKeyUsageClientAuth, soon)
	networks := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64")}
	p := &Proxy{Trusted: networks, ClientCAFile: own.writeFile(t)}
	for _, c := range []struct {
		why, address string
		proxy        *Proxy
		certificate  *x509.Certificate
		want         string
	}{
		{"the proxy", "192.0.2.7:1", p, valid, ""},
		{"the proxy over IPv6", "[2001:db8::1]:1", p, valid, ""},
		{"the proxy over IPv4 in IPv6", "[::ffff:192.0.2.7]:1", p, valid, ""},
		{"another address", "198.51.100.7:1", p, valid, "--trusted-proxies"},
		{"no certificate", "192.0.2.7:1", p, nil, "client certificate"},
		{"a certificate of another authority", "192.0.2.7:1", p, foreign.signCertificate(t, x509.ExtKeyUsageClientAuth, soon), "--proxy-client-ca"},
		{"the certificate of a server", "192.0.2.7:1", p, own.signCertificate(t, x509.ExtKeyUsageServerAuth, soon), "--proxy-client-ca"},
		{"an expired certificate", "192.0.2.7:1", p, own.signCertificate(t, x509.ExtKeyUsageClientAuth, time.Now().Add(-time.Minute)), "--proxy-client-ca"},
		{"no authorities", "192.0.2.7:1", &Proxy{Trusted: networks, ClientCAFile: "missing"}, valid, "--proxy-client-ca"},
		{"loopback, which is not trusted", "127.0.0.1:1", p, valid, "--trusted-proxies"},
		{"loopback, which is trusted", "127.0.0.1:1", &Proxy{Loopback: true}, nil, ""},
		{"loopback in a trusted network", "127.0.0.1:1", &Proxy{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, nil, ""},
		{"another address if loopback is trusted", "192.0.2.7:1", &Proxy{Loopback: true}, valid, "--trusted-proxies"},
		{"no address", "", p, valid, "unknown"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			found, err := c.proxy.Identify(newProxyRequest(c.address, c.certificate, "X-Forwarded-User: jane"))
			if c.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(found).To(Equal(Identity{User: "jane"}))
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			g.Expect(found).To(Equal(Identity{}))
			token, err := c.proxy.Identify(newProxyRequest(c.address, nil, "X-Forwarded-User: jane", "Authorization: Bearer abc"))
			g.Expect(err).NotTo(HaveOccurred(), "a token needs no trust")
			g.Expect(token).To(Equal(Identity{Token: "abc"}))
		})
	}
}

// TestHeadersOfTheProxy reads headers as a proxy sets them, and as a client can forge them.
func TestHeadersOfTheProxy(t *testing.T) {
	p := &Proxy{Loopback: true}
	many := make([]string, maxGroups+1)
	for i := range many {
		many[i] = fmt.Sprint("group-", i)
	}
	for _, c := range []struct {
		why     string
		headers []string
		want    Identity
		status  int
	}{
		{"a user", []string{"X-Forwarded-User: jane@example.com"}, Identity{User: "jane@example.com"}, 0},
		{"groups with commas and spaces", []string{"X-Forwarded-User: jane", "X-Forwarded-Groups: a, b,,a ,system:authenticated"}, Identity{User: "jane", Groups: []string{"a", "b"}}, 0},
		{"another scheme", []string{"Authorization: Basic amFuZTp4", "X-Forwarded-User: jane"}, Identity{User: "jane"}, 0},
		{"a token in lower case", []string{"authorization: bearer abc"}, Identity{Token: "abc"}, 0},
		{"nothing", nil, Identity{}, http.StatusUnauthorized},
		{"an empty token", []string{"Authorization: Bearer "}, Identity{}, http.StatusUnauthorized},
		{"a token with a space", []string{"Authorization: Bearer a b"}, Identity{}, http.StatusUnauthorized},
		{"a long token", []string{"Authorization: Bearer " + strings.Repeat("x", MaxTokenBytes+1)}, Identity{}, http.StatusUnauthorized},
		{"two tokens", []string{"Authorization: Bearer a", "Authorization: Bearer b"}, Identity{}, http.StatusBadRequest},
		{"an invalid token with a user", []string{"Authorization: Bearer ", "X-Forwarded-User: jane"}, Identity{}, http.StatusUnauthorized},
		{"two users", []string{"X-Forwarded-User: jane", "X-Forwarded-User: admin"}, Identity{}, http.StatusForbidden},
		{"two users in different case", []string{"X-Forwarded-User: jane", "x-forwarded-user: jane"}, Identity{}, http.StatusForbidden},
		{"two headers with groups", []string{"X-Forwarded-User: jane", "X-Forwarded-Groups: a", "X-Forwarded-Groups: admins"}, Identity{}, http.StatusForbidden},
		{"groups alone", []string{"X-Forwarded-Groups: a"}, Identity{}, http.StatusForbidden},
		{"an empty user", []string{"X-Forwarded-User: "}, Identity{}, http.StatusForbidden},
		{"a long user", []string{"X-Forwarded-User: " + strings.Repeat("x", maxNameBytes+1)}, Identity{}, http.StatusForbidden},
		{"a user with a control character", []string{"X-Forwarded-User: a\x01b"}, Identity{}, http.StatusForbidden},
		{"a user of the cluster", []string{"X-Forwarded-User: system:admin"}, Identity{}, http.StatusForbidden},
		{"a user of the cluster after spaces", []string{"X-Forwarded-User:   system:admin"}, Identity{}, http.StatusForbidden},
		{"a service account", []string{"X-Forwarded-User: system:serviceaccount:a:b"}, Identity{}, http.StatusForbidden},
		{"a user with the name of the group", []string{"X-Forwarded-User: system:authenticated"}, Identity{}, http.StatusForbidden},
		{"system:masters", []string{"X-Forwarded-User: jane", "X-Forwarded-Groups: system:masters"}, Identity{}, http.StatusForbidden},
		{"system:masters after a comma", []string{"X-Forwarded-User: jane", "X-Forwarded-Groups: a, system:masters"}, Identity{}, http.StatusForbidden},
		{"too many groups", []string{"X-Forwarded-User: jane", "X-Forwarded-Groups: " + strings.Join(many, ",")}, Identity{}, http.StatusForbidden},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			found, err := p.Identify(newProxyRequest("127.0.0.1:1", nil, c.headers...))
			if c.status == 0 {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(found).To(Equal(c.want))
				return
			}
			refusal := &Refusal{}
			g.Expect(errors.As(err, &refusal)).To(BeTrue(), "%v", err)
			g.Expect(refusal.Status).To(Equal(c.status), refusal.Reason)
			g.Expect(found).To(Equal(Identity{}))
		})
	}
}
