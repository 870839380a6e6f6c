package netguard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/mutualtls"
	"github.com/appmarket/operator/test/proxyserver"
)

// newTLSServer starts a server that responds with the name in the certificate of the client.
func newTLSServer(t *testing.T, config *tls.Config) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Leaked", r.Header.Get("Proxy-Authorization"))
		if len(r.TLS.PeerCertificates) > 0 {
			w.Header().Set("Client", r.TLS.PeerCertificates[0].Subject.CommonName)
		}
	}))
	server.TLS = config
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// getHeader requests a URL and returns the header of the response.
func getHeader(t *testing.T, transport http.RoundTripper, url string) (http.Header, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	return response.Header, response.Body.Close()
}

// newClientCertificate returns a client certificate for the server of a URL.
func newClientCertificate(t *testing.T, authority *mutualtls.Authority, server string) *ClientCertificate {
	t.Helper()
	certificate, key := authority.Issue(t, "market")
	pair, err := tls.X509KeyPair(certificate, key)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return &ClientCertificate{Certificate: pair, Server: parseURL(t, server)}
}

func TestClientCertificateIsForOneServer(t *testing.T) {
	g, authority := NewWithT(t), mutualtls.NewAuthority(t)
	own := newTLSServer(t, authority.ServerConfig(t, tls.RequireAndVerifyClientCert, "127.0.0.1", "localhost"))
	other := newTLSServer(t, authority.ServerConfig(t, tls.RequestClientCert, "127.0.0.1"))
	transport := NewTransport(TransportOptions{Policy: local, Roots: authority.Pool(), Certificate: newClientCertificate(t, authority, own.URL)})
	defer transport.CloseIdleConnections()

	header, err := getHeader(t, transport, own.URL)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(header.Get("Client")).To(Equal("market"))
	header, err = getHeader(t, transport, other.URL)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(header.Get("Client")).To(BeEmpty(), "another port is another server")
	_, err = getHeader(t, transport, strings.Replace(own.URL, "127.0.0.1", "localhost", 1))
	g.Expect(err).To(MatchError(ContainSubstring("certificate required")), "another name is another server")
}

// TestProxyGetsNoClientCertificate has a proxy with TLS that asks for a certificate, as the server does.
func TestProxyGetsNoClientCertificate(t *testing.T) {
	g, authority := NewWithT(t), mutualtls.NewAuthority(t)
	own := newTLSServer(t, authority.ServerConfig(t, tls.RequireAndVerifyClientCert, "127.0.0.1"))
	presented := make(chan int, 10)
	config := authority.ServerConfig(t, tls.RequestClientCert, "127.0.0.1")
	config.VerifyConnection = func(state tls.ConnectionState) error {
		presented <- len(state.PeerCertificates)
		return nil
	}
	proxy := proxyserver.Start(t, config)
	proxy.Username, proxy.Password = "me", "pw"
	address := parseURL(t, proxy.URL)
	address.User = url.UserPassword("me", "pw")
	transport := NewTransport(TransportOptions{
		Policy: local, Roots: authority.Pool(), Certificate: newClientCertificate(t, authority, own.URL), Proxy: address,
	})
	defer transport.CloseIdleConnections()

	header, err := getHeader(t, transport, own.URL)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(header.Get("Client")).To(Equal("market"))
	g.Expect(header.Get("Leaked")).To(BeEmpty(), "the credentials are for the proxy")
	g.Expect(proxy.TakeRequests()).To(Equal([]string{"CONNECT " + parseURL(t, own.URL).Host}))
	g.Expect(presented).To(Receive(BeZero()))
}

func TestErrorsOfAProxy(t *testing.T) {
	g := NewWithT(t)
	proxy := proxyserver.Start(t, nil)
	proxy.Username = "me"
	options := TransportOptions{Policy: local, Proxy: parseURL(t, proxy.URL)}
	_, err := getHeader(t, NewTransport(options), "https://charts.example/index.yaml")
	status, ok := errors.AsType[ProxyStatus](err)
	g.Expect(ok).To(BeTrue(), "%v", err)
	g.Expect(status).To(BeEquivalentTo(http.StatusProxyAuthRequired))
	g.Expect(IsProxyError(err)).To(BeTrue())

	for why, c := range map[string]struct {
		policy Policy
		proxy  string
	}{
		"the address of the proxy is not allowed":    {market, proxy.URL},
		"the name of the proxy is not allowed":       {market, "http://localhost:1"},
		"a private proxy of a tenant":                {Policy{}, "http://10.0.0.1:3128"},
		"a service of the cluster as a proxy":        {Policy{}, "http://proxy.team.svc:3128"},
		"a metadata service as a proxy of a market":  {market, "http://169.254.169.254"},
		"a proxy with a nonstandard form of address": {market, "http://2852039166"},
	} {
		_, err := getHeader(t, NewTransport(TransportOptions{Policy: c.policy, Proxy: parseURL(t, c.proxy)}), "http://charts.example/")
		_, isRefused := errors.AsType[Refused](err)
		g.Expect(isRefused).To(BeTrue(), "%s: %v", why, err)
		g.Expect(IsProxyError(err)).To(BeTrue(), why)
	}
	g.Expect(proxy.TakeRequests()).To(Equal([]string{"CONNECT charts.example:443"}))
}

// TestNamesForAProxyAreChecked has names that the proxy would resolve to addresses that are not allowed.
func TestNamesForAProxyAreChecked(t *testing.T) {
	g := NewWithT(t)
	asked := map[string]int{}
	lookup := func(_ context.Context, _, host string) ([]netip.Addr, error) {
		asked[host]++
		switch host {
		case "metadata.example":
			return []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("169.254.169.254")}, nil
		case "private.example":
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		case "public.example":
			return []netip.Addr{netip.MustParseAddr("203.0.113.1")}, nil
		}
		return nil, errors.New("no such host")
	}
	through := parseURL(t, "http://proxy.example:3128")
	for _, source := range []string{"options", "environment"} {
		tenant := &dialer{timeout: time.Second, names: newNameChecker(lookup)}
		if source == "options" {
			tenant.proxy = through
		} else {
			tenant.environment = func(*http.Request) (*url.URL, error) { return through, nil }
		}
		for host, want := range map[string]string{
			"public.example": "", "unknown.example": "", "metadata.example": "link-local", "private.example": "private", "10.0.0.1": "private",
		} {
			_, err := tenant.chooseProxy((&http.Request{URL: parseURL(t, "https://"+host)}).WithContext(t.Context()))
			if want == "" {
				g.Expect(err).NotTo(HaveOccurred(), host)
			} else {
				g.Expect(err).To(MatchError(ContainSubstring(want)), host)
			}
		}
	}
	checker := newNameChecker(lookup)
	g.Expect(checker.check(t.Context(), "private.example", market)).To(Succeed())
	g.Expect(checker.check(t.Context(), "private.example", Policy{})).To(MatchError(ContainSubstring("private")), "each policy has its result")
	clear(asked)
	for range 3 {
		g.Expect(checker.check(t.Context(), "unknown.example", Policy{})).To(Succeed())
	}
	g.Expect(asked).To(Equal(map[string]int{"unknown.example": 1}), "a name server that does not respond delays one request")
}

// TestLookupOfANameIsLimited has a name server that does not respond.
func TestLookupOfANameIsLimited(t *testing.T) {
	g := NewWithT(t)
	checker := newNameChecker(func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("look up: %w", ctx.Err())
	})
	g.Expect(checker.check(t.Context(), "slow.example", Policy{})).To(Succeed())
}

// TestConfiguredHostsNeedNoProxy has a mirror of images that the operator configures.
func TestConfiguredHostsNeedNoProxy(t *testing.T) {
	g := NewWithT(t)
	mirror := httptest.NewServer(http.NotFoundHandler())
	defer mirror.Close()
	host := parseURL(t, mirror.URL).Host
	own := &dialer{trusted: map[string]bool{host: true}, proxy: parseURL(t, mirror.URL), timeout: time.Second}
	_, err := own.dialChecked(t.Context(), "tcp", host)
	g.Expect(err).To(MatchError(ContainSubstring("loopback")), "a user who names the mirror as a proxy")
	transport := NewTransport(TransportOptions{Trusted: []string{host}, Proxy: parseURL(t, "http://10.0.0.1:3128")})
	defer transport.CloseIdleConnections()
	_, err = getHeader(t, transport, mirror.URL)
	g.Expect(err).NotTo(HaveOccurred())
}
