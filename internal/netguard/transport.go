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

// Waits bound the phases of one request. Zero means the default.
type Timeouts struct {
	Dial, TLS, Header time.Duration
}

// TransportOptions are what transports differ in.
type TransportOptions struct {
	Policy Policy
	// Roots are the certificates that are trusted; those of the system if nil.
	Roots    *x509.CertPool
	Timeouts Timeouts
	// UserAgent is the User-Agent header of every request, those that follow redirects and
	// those for tokens included. Empty leaves the header as it is.
	UserAgent string
	// Trusted are hosts with their port that the operator's own configuration names. They
	// may be at loopback and private addresses.
	Trusted []string
}

// Transport sends requests under a policy.
type Transport struct {
	*http.Transport
	userAgent string
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.userAgent != "" {
		request = request.Clone(request.Context())
		request.Header.Set("User-Agent", t.userAgent)
	}
	return t.Transport.RoundTrip(request)
}

// NewTransport returns a transport that connects only to what the policy allows, through
// the proxy that the environment names, and bounds every wait for an answer. The whole of
// a request is bounded by its context.
func NewTransport(options TransportOptions) *Transport {
	waits := options.Timeouts
	d := &dialer{
		policy: options.Policy, trusted: map[string]bool{}, environment: http.ProxyFromEnvironment,
		timeout: orDefault(waits.Dial, 10*time.Second),
	}
	for _, host := range options.Trusted {
		d.trusted[strings.ToLower(host)] = true
	}
	return &Transport{userAgent: options.UserAgent, Transport: &http.Transport{
		Proxy:                  d.chooseProxy,
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
}

func orDefault(given, otherwise time.Duration) time.Duration {
	if given > 0 {
		return given
	}
	return otherwise
}

// dialer makes the connections of one transport.
type dialer struct {
	policy  Policy
	trusted map[string]bool
	timeout time.Duration
	// environment chooses the proxy of a request.
	environment func(*http.Request) (*url.URL, error)
	// proxies are the addresses of the proxies that were chosen.
	proxies sync.Map
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
	if _, isProxy := d.proxies.Load(address); !isProxy {
		connect.Control = d.policyFor(address).Control
	}
	return connect.DialContext(ctx, network, address)
}
