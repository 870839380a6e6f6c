package source_test

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/mutualtls"
)

// certifiedServer is a server with TLS that records the clients of requests, empty for a client without a
// certificate.
type certifiedServer struct {
	*httptest.Server
	mu      sync.Mutex
	clients []string
}

func startCertifiedServer(t *testing.T, config *tls.Config, handler http.Handler) *certifiedServer {
	t.Helper()
	s := &certifiedServer{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := ""
		if len(r.TLS.PeerCertificates) > 0 {
			client = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		s.mu.Lock()
		s.clients = append(s.clients, client)
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	s.TLS, s.Config.ErrorLog = config, log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// takeClients returns the clients since the last call.
func (s *certifiedServer) takeClients() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.clients
	s.clients = nil
	return taken
}

// forwardTo returns a handler that forwards requests to another server.
func forwardTo(t *testing.T, server string) http.Handler {
	target, err := url.Parse(server)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return httputil.NewSingleHostReverseProxy(target)
}

// newTransportConfig returns the configuration of a client with a certificate of an authority.
func newTransportConfig(t *testing.T, servers, clients *mutualtls.Authority) source.TransportConfig {
	t.Helper()
	certificate, key := clients.Issue(t, "market")
	return source.TransportConfig{CA: servers.PEM, Certificate: certificate, Key: key}
}

// TestClientCertificateOfARepository has an index that refers to an archive on another server, and redirects
// to it. Both servers ask for a certificate.
func TestClientCertificateOfARepository(t *testing.T) {
	g, authority := NewWithT(t), mutualtls.NewAuthority(t)
	other := startCertifiedServer(t, authority.ServerConfig(t, tls.RequestClientCert, "127.0.0.1"), respondWith(200, nil, "archive"))
	home := startCertifiedServer(t, authority.ServerConfig(t, tls.RequireAndVerifyClientCert, "127.0.0.1"),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/index.yaml":
				respondWith(200, nil, indexYAML)(w, r)
			case "/moved.tgz":
				redirectTo(other.URL+"/a.tgz")(w, r)
			default:
				respondWith(200, nil, "archive")(w, r)
			}
		}))
	opened := openHelm(t, source.HelmConfig{URL: home.URL, TransportConfig: newTransportConfig(t, authority, authority)})
	_, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	for _, location := range []string{"a.tgz", "moved.tgz", other.URL + "/a.tgz"} {
		_, err = opened.Fetch(t.Context(), hydrate.Offer{URL: location})
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(home.takeClients()).To(Equal([]string{"market", "market", "market"}))
	g.Expect(other.takeClients()).To(Equal([]string{"", ""}))
}

// TestRejectedClientCertificates has servers that reject the client, with the versions of TLS that report it
// at different times.
func TestRejectedClientCertificates(t *testing.T) {
	authority := mutualtls.NewAuthority(t)
	for why, cfg := range map[string]source.TransportConfig{
		"no certificate":                     {CA: authority.PEM},
		"a certificate of another authority": newTransportConfig(t, authority, mutualtls.NewAuthority(t)),
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(why+" and "+tls.VersionName(version), func(t *testing.T) {
				g := NewWithT(t)
				config := authority.ServerConfig(t, tls.RequireAndVerifyClientCert, "127.0.0.1")
				config.MinVersion, config.MaxVersion = version, version
				server := startCertifiedServer(t, config, respondWith(200, nil, indexYAML))
				_, err := openHelm(t, source.HelmConfig{URL: server.URL, TransportConfig: cfg}).List(t.Context(), hydrate.Cursor{})
				expectOutcome(g, err, false, v1alpha1.ReasonUnauthorized)
				g.Expect(err).To(MatchError(ContainSubstring("check the client certificate in the Secret of spec.helm.certSecretRef")))
				g.Expect(server.takeClients()).To(BeEmpty())
			})
		}
	}
}

// TestClientCertificateOfARegistry has a registry that refers to a token server on another port.
func TestClientCertificateOfARegistry(t *testing.T) {
	g, authority := NewWithT(t), mutualtls.NewAuthority(t)
	plain := startRegistry(t)
	archive := plain.push(t, "charts/web", "1.0.0", web("1.0.0"))
	tokens := startCertifiedServer(t, authority.ServerConfig(t, tls.RequestClientCert, "localhost"), respondWith(200, nil, `{"token": "tk"}`))
	forward := forwardTo(t, "http://"+plain.host)
	home := startCertifiedServer(t, authority.ServerConfig(t, tls.RequireAndVerifyClientCert, "127.0.0.1"),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer tk" {
				w.Header().Set("WWW-Authenticate", `Bearer realm="`+strings.Replace(tokens.URL, "127.0.0.1", "localhost", 1)+`/token",service="x"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			forward.ServeHTTP(w, r)
		}))
	cfg := source.OCIConfig{URL: strings.Replace(home.URL, "https://", "oci://", 1) + "/charts/web", TransportConfig: newTransportConfig(t, authority, authority)}
	opened, err := source.Open(source.Config{OCI: &cfg, Network: netguard.Policy{Loopback: true}})
	g.Expect(err).NotTo(HaveOccurred())
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
	content, err := opened.Fetch(t.Context(), listing.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Archive).To(Equal(archive))
	g.Expect(home.takeClients()).To(And(Not(BeEmpty()), HaveEach("market")))
	g.Expect(tokens.takeClients()).To(And(Not(BeEmpty()), HaveEach("")))
}

func TestClientCertificateOfAGitRepository(t *testing.T) {
	g, authority := NewWithT(t), mutualtls.NewAuthority(t)
	server := startGitServer(t)
	server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")})
	home := startCertifiedServer(t, authority.ServerConfig(t, tls.RequireAndVerifyClientCert, "127.0.0.1"), server.Repository)
	listing, err := server.open(t, source.GitConfig{
		URL: home.URL + "/team/charts.git", TransportConfig: newTransportConfig(t, authority, authority),
	}).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
	g.Expect(home.takeClients()).To(Equal([]string{"market", "market"}))
}
