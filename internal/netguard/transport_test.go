package netguard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func getURL(t *testing.T, client *http.Client, url string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func parseURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return u
}

func TestTransportConnectsIfThePolicyAllows(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	for _, c := range []struct {
		why     string
		options TransportOptions
		host    string
		allowed bool
	}{
		{"loopback for tenants", TransportOptions{}, "127.0.0.1", false},
		{"loopback for a market", TransportOptions{Policy: market}, "127.0.0.1", false},
		{"loopback by name", TransportOptions{Policy: market}, "localhost", false},
		{"loopback in a local run", TransportOptions{Policy: local}, "127.0.0.1", true},
		{"loopback by name in a local run", TransportOptions{Policy: local}, "localhost", true},
		{"a configured host", TransportOptions{Trusted: []string{"127.0.0.1:" + port}}, "127.0.0.1", true},
		{"another name of the configured host", TransportOptions{Trusted: []string{"127.0.0.1:" + port}}, "localhost", false},
		{"another port of the configured host", TransportOptions{Trusted: []string{"127.0.0.1:1"}}, "127.0.0.1", false},
	} {
		t.Run(c.why, func(t *testing.T) {
			transport := NewTransport(c.options)
			defer transport.CloseIdleConnections()
			err := getURL(t, &http.Client{Transport: transport}, "http://"+c.host+":"+port)
			g := NewWithT(t)
			if c.allowed {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			_, isRefused := errors.AsType[Refused](err)
			g.Expect(isRefused).To(BeTrue(), "%v", err)
		})
	}
}

// TestResolvedAddressesAreChecked checks a name that resolves to loopback.
func TestResolvedAddressesAreChecked(t *testing.T) {
	g := NewWithT(t)
	_, err := (&dialer{policy: market, timeout: time.Second}).dialChecked(t.Context(), "tcp", "localhost:80")
	g.Expect(err).To(MatchError(ContainSubstring("loopback")), "the resolved address is checked, not the name")
}

// TestHostsAreCheckedBeforeTheProxyIsUsed has a proxy that would connect to any address, and
// a server that redirects to a rejected address. Users must not use the address of the proxy
// itself.
func TestHostsAreCheckedBeforeTheProxyIsUsed(t *testing.T) {
	g := NewWithT(t)
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1); r.URL.Host == "redirects.example" {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		}
	}))
	defer proxy.Close()
	through := parseURL(t, proxy.URL)
	d := &dialer{timeout: time.Second, names: unknownNames(), environment: func(r *http.Request) (*url.URL, error) {
		if r.URL.Hostname() == "direct.example" || r.URL.Host == through.Host {
			return nil, nil // As with NO_PROXY.
		}
		return through, nil
	}}
	client := &http.Client{Transport: &http.Transport{Proxy: d.chooseProxy, DialContext: d.dialChecked, DisableKeepAlives: true}}
	g.Expect(getURL(t, client, "http://charts.example/index.yaml")).To(Succeed())
	g.Expect(asked.Load()).To(BeEquivalentTo(1))
	for _, url := range []string{
		"http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://2852039166/", "http://10.0.0.1/", "http://consul.team.svc/",
		"http://localhost/", "http://metadata.google.internal/", proxy.URL,
	} {
		_, isRefused := errors.AsType[Refused](getURL(t, client, url))
		g.Expect(isRefused).To(BeTrue(), url)
	}
	g.Expect(asked.Load()).To(BeEquivalentTo(1), "the proxy receives no other request")
	g.Expect(getURL(t, client, "http://redirects.example/")).To(MatchError(ContainSubstring("link-local")))
	g.Expect(asked.Load()).To(BeEquivalentTo(2))
}

// unknownNames returns a checker for which no name exists.
func unknownNames() *nameChecker {
	return newNameChecker(func(context.Context, string, string) ([]netip.Addr, error) { return nil, errors.New("no such host") })
}

// TestOtherContentOfAProxyIsRejected has a URL with the address of the proxy in the
// environment.
func TestOtherContentOfAProxyIsRejected(t *testing.T) {
	g := NewWithT(t)
	through := parseURL(t, "http://proxy.example:3128")
	var chosen *url.URL
	d := &dialer{names: unknownNames(), environment: func(*http.Request) (*url.URL, error) { return chosen, nil }}
	ask := func(url string) error {
		_, err := d.chooseProxy(&http.Request{URL: parseURL(t, url)})
		return err
	}
	g.Expect(ask(through.String())).To(Succeed(), "no proxy is in use yet")
	chosen = through
	g.Expect(ask("http://charts.example")).To(Succeed())
	chosen = nil
	g.Expect(ask("http://PROXY.example:3128/admin")).To(MatchError(ContainSubstring("(proxy)")))
	g.Expect(ask("http://proxy.example:80")).To(Succeed(), "another port")
}

func TestRedirects(t *testing.T) {
	hops := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			var at int
			fmt.Sscanf(r.URL.Path, "/%d", &at)
			if at < n {
				http.Redirect(w, r, fmt.Sprintf("/%d", at+1), http.StatusFound)
			}
		}
	}
	plain := httptest.NewServer(hops(0))
	defer plain.Close()
	for _, c := range []struct {
		why    string
		secure bool
		answer http.HandlerFunc
		want   error
	}{
		{"some redirects", false, hops(MaxRedirects), nil},
		{"too many", false, hops(MaxRedirects + 1), ErrRedirects},
		{"in circles", false, hops(1000), ErrRedirects},
		{"from https to http", true, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) }, ErrDowngrade},
		{"to another scheme", false, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, ErrScheme},
	} {
		t.Run(c.why, func(t *testing.T) {
			start := httptest.NewServer
			if c.secure {
				start = httptest.NewTLSServer
			}
			server := start(c.answer)
			defer server.Close()
			byClient := server.Client()
			byClient.CheckRedirect = CheckRedirect
			byTransport := &http.Client{Transport: redirected{server.Client().Transport}}
			for name, client := range map[string]*http.Client{"client": byClient, "transport": byTransport} {
				err := getURL(t, client, server.URL+"/0")
				if c.want == nil {
					NewWithT(t).Expect(err).NotTo(HaveOccurred(), name)
				} else {
					NewWithT(t).Expect(err).To(MatchError(c.want), name)
				}
			}
		})
	}
}

// redirected is a transport of a client that follows all redirects.
type redirected struct{ base http.RoundTripper }

func (r redirected) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := CheckRedirected(request); err != nil {
		return nil, err
	}
	return r.base.RoundTrip(request)
}

func TestRedirectsRemoveUserAndReferer(t *testing.T) {
	g := NewWithT(t)
	next := &http.Request{URL: parseURL(t, "http://me:pw@next.example/"), Header: http.Header{"Referer": {"http://a.example/?key=1"}}}
	g.Expect(CheckRedirect(next, []*http.Request{{URL: parseURL(t, "http://a.example/?key=1")}})).To(Succeed())
	g.Expect(next.URL.String()).To(Equal("http://next.example/"))
	g.Expect(next.Header).To(BeEmpty())
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "7": 7 * time.Second, "999999999999": MaxRetryAfter, "99999999999999999999": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
		now.Add(48 * time.Hour).Format(http.TimeFormat): MaxRetryAfter,
	} {
		NewWithT(t).Expect(RetryAfter(http.Header{"Retry-After": {text}}, now)).To(Equal(want), "%q", text)
	}
}

func TestBodiesAreLimited(t *testing.T) {
	for size, fits := range map[int]bool{0: true, 9: true, 10: true, 11: false, 1000: false} {
		for _, declared := range []int64{-1, int64(size)} {
			g := NewWithT(t)
			body := io.NopCloser(strings.NewReader(strings.Repeat("x", size)))
			got, err := ReadBody(&http.Response{Body: body, ContentLength: declared, Request: &http.Request{Method: http.MethodGet}}, 10)
			if !fits {
				g.Expect(err).To(MatchError(ErrTooLarge), "%d bytes", size)
				continue
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(HaveLen(size))
		}
	}
	g := NewWithT(t)
	endless := LimitBody(io.NopCloser(strings.NewReader(strings.Repeat("x", 100))), 10)
	_, err := io.Copy(io.Discard, endless)
	g.Expect(err).To(MatchError(ErrTooLarge))
	_, err = endless.Read(make([]byte, 1))
	g.Expect(err).To(MatchError(ErrTooLarge), "reading again fails too")
}
