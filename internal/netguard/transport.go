package netguard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Timeouts are the time limits of the phases of one request. Zero stands for the default.
type Timeouts struct {
	Dial, TLS, Header time.Duration
}

// TransportOptions configures a Transport.
type TransportOptions struct {
	Policy Policy
	// Roots are the trusted certificates. Defaults to the certificates of the system.
	Roots    *x509.CertPool
	Timeouts Timeouts
	// UserAgent is the User-Agent header of each request, including redirected ones and
	// requests for tokens. If empty, the header is not changed.
	UserAgent string
	// Trusted are hosts with ports that the configuration of the operator contains. They can
	// have loopback and private addresses, and Proxy is not used for them.
	Trusted []string
	// Proxy is the http or https URL of a proxy, with its credentials, that is used instead of the
	// proxy of the environment. Its address must be allowed as the addresses of other servers.
	Proxy *url.URL
	// Certificate is the client certificate. Optional.
	Certificate *ClientCertificate
}

// Transport sends requests according to a policy.
type Transport struct {
	*http.Transport
	// certified sends the requests to the server of the client certificate. It is nil without one.
	certified *certifiedTransport
	userAgent string
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.userAgent != "" {
		request = request.Clone(request.Context())
		request.Header.Set("User-Agent", t.userAgent)
	}
	if t.certified.isFor(request) {
		return t.certified.RoundTrip(request)
	}
	return t.Transport.RoundTrip(request)
}

// CloseIdleConnections closes connections that are not in use.
func (t *Transport) CloseIdleConnections() {
	t.Transport.CloseIdleConnections()
	if t.certified != nil {
		t.certified.CloseIdleConnections()
	}
}

// NewTransport returns a transport that connects to addresses that the policy allows, through
// the proxy of the options or of the environment, and limits the time of each phase. The context
// of a request limits its total time.
func NewTransport(options TransportOptions) *Transport {
	waits := options.Timeouts
	d := &dialer{
		policy: options.Policy, trusted: map[string]bool{}, proxy: options.Proxy, environment: http.ProxyFromEnvironment,
		timeout: orDefault(waits.Dial, 10*time.Second), names: newNameChecker(net.DefaultResolver.LookupNetIP),
	}
	for _, host := range options.Trusted {
		d.trusted[strings.ToLower(host)] = true
	}
	transport := &Transport{userAgent: options.UserAgent, Transport: &http.Transport{
		Proxy:                  d.chooseProxy,
		OnProxyConnectResponse: checkProxyResponse,
		DialContext:            d.dialChecked,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{RootCAs: options.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    orDefault(waits.TLS, 10*time.Second),
		ResponseHeaderTimeout:  orDefault(waits.Header, 30*time.Second),
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    8,
		MaxResponseHeaderBytes: 64 << 10,
	}}
	if options.Certificate != nil {
		transport.certified = newCertifiedTransport(d, transport.Transport, *options.Certificate)
	}
	return transport
}

func orDefault(given, otherwise time.Duration) time.Duration {
	if given > 0 {
		return given
	}
	return otherwise
}

// dialer opens the connections of one transport.
type dialer struct {
	policy  Policy
	trusted map[string]bool
	timeout time.Duration
	// proxy is the proxy of the options, or nil.
	proxy *url.URL
	// environment returns the proxy of the environment for a request.
	environment func(*http.Request) (*url.URL, error)
	// proxies are the addresses of the proxies of the environment in use.
	proxies sync.Map
	// names checks the names that a proxy resolves.
	names *nameChecker
}

// policyFor returns the policy for a host with its port.
func (d *dialer) policyFor(address string) Policy {
	if d.trusted[address] {
		return Policy{Loopback: true, Private: true}
	}
	return d.policy
}

func (d *dialer) dialChecked(ctx context.Context, network, address string) (net.Conn, error) {
	address = strings.ToLower(address)
	connect := net.Dialer{Timeout: d.timeout, KeepAlive: 30 * time.Second}
	_, isEnvironment := d.proxies.Load(address)
	switch {
	case d.isOwnProxy(address):
		// A user names the proxy, so that a trusted host is not trusted as a proxy.
		connect.Control = d.policy.Control
	case !isEnvironment:
		connect.Control = d.policyFor(address).Control
	}
	return connect.DialContext(ctx, network, address)
}
