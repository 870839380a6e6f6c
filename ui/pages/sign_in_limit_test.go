package pages_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/testenv"
	"github.com/appmarket/operator/ui/pages"
	"github.com/appmarket/operator/ui/session"
)

// tryToken submits a token as a client with an address behind a proxy, and returns the status.
func (s *site) tryToken(t *testing.T, token, forwarded string) int {
	t.Helper()
	b := s.newBrowser(t)
	body := strings.NewReader(url.Values{"token": {token}}.Encode())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/login", body)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Forwarded-For", forwarded)
	return b.send(t, request).StatusCode
}

// TestFailedSignInsAreLimited tries tokens behind a proxy that is not trusted, so that all clients have one
// address.
func TestFailedSignInsAreLimited(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, false)
	namespace := s.Namespace(t, nil)
	s.Allow(t, namespace, "jane", viewer)
	token := s.tokenFor(t, namespace, "jane")
	for _, forwarded := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"} {
		g.Expect(s.tryToken(t, "a guess", forwarded)).To(Equal(http.StatusBadRequest), "a text that is no token does not count")
		g.Expect(s.tryToken(t, "guess-"+forwarded, forwarded)).To(Equal(http.StatusUnauthorized))
	}
	g.Expect(s.tryToken(t, "guess", "192.0.2.6")).To(Equal(http.StatusTooManyRequests), "the header of a client does not count")

	// Tokens with a signature, which cannot be guessed, are still accepted.
	for range 10 {
		g.Expect(s.tryToken(t, token, "192.0.2.1")).To(Equal(http.StatusSeeOther))
		g.Expect(s.tryToken(t, token[:len(token)-8]+"AAAAAAAA", "192.0.2.1")).To(Equal(http.StatusUnauthorized))
	}
	var waiting sync.WaitGroup
	for range 30 {
		waiting.Go(func() { g.Expect(s.tryToken(t, token, "192.0.2.1")).To(Equal(http.StatusSeeOther)) })
	}
	waiting.Wait()
}

// TestFailedSignInsBehindATrustedProxy tries tokens as clients that a trusted proxy names.
func TestFailedSignInsBehindATrustedProxy(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, false, func(o *pages.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	for range 5 {
		g.Expect(s.tryToken(t, "guess", "192.0.2.1")).To(Equal(http.StatusUnauthorized))
	}
	g.Expect(s.tryToken(t, "guess", "192.0.2.1")).To(Equal(http.StatusTooManyRequests))
	g.Expect(s.tryToken(t, "guess", "192.0.2.9, 192.0.2.1")).To(Equal(http.StatusTooManyRequests), "an address that the client has sent")
	g.Expect(s.tryToken(t, "guess", "192.0.2.2")).To(Equal(http.StatusUnauthorized), "another client")
	for _, forwarded := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8::5"} {
		g.Expect(s.tryToken(t, "guess", forwarded)).To(Equal(http.StatusUnauthorized))
	}
	g.Expect(s.tryToken(t, "guess", "2001:db8::6")).To(Equal(http.StatusTooManyRequests), "a network of IPv6")
}

// TestUnknownTokensOfAProxyAreLimited sends more tokens through a proxy than the API server checks for one client.
func TestUnknownTokensOfAProxyAreLimited(t *testing.T) {
	g := NewWithT(t)
	proxy := &session.Proxy{Loopback: true}
	s := startSite(t, false, func(o *pages.Options) { o.Proxy, o.TrustedProxies = proxy, proxy.Networks() })
	b := s.newBrowser(t)
	var limited atomic.Bool
	var waiting sync.WaitGroup
	for client := range 10 {
		waiting.Go(func() {
			for i := 0; i < 100 && !limited.Load(); i++ {
				token := fmt.Sprintf("Authorization: Bearer guess-%d-%d", client, i)
				if b.getWith(t, "/parts/about", token, "X-Forwarded-For: 192.0.2.1").StatusCode == http.StatusTooManyRequests {
					limited.Store(true)
				}
			}
		})
	}
	waiting.Wait()
	g.Expect(limited.Load()).To(BeTrue())
	other := b.getWith(t, "/parts/about", "Authorization: Bearer guess", "X-Forwarded-For: 192.0.2.2")
	g.Expect(other.StatusCode).To(Equal(http.StatusUnauthorized), "another client")
}

// TestSuccessfulSignInsAreNotLimited signs in with a token that is not a JSON Web Token.
func TestSuccessfulSignInsAreNotLimited(t *testing.T) {
	g := NewWithT(t)
	file := filepath.Join(t.TempDir(), "tokens.csv")
	g.Expect(os.WriteFile(file, []byte("opaque-token-of-jane,jane,1\n"), 0o600)).To(Succeed())
	s := startSiteOf(t, testenv.StartWith(t, map[string]string{"token-auth-file": file}), false, func(*site, *pages.Options) {})
	for range 10 {
		g.Expect(s.tryToken(t, "opaque-token-of-jane", "")).To(Equal(http.StatusSeeOther))
	}
	for range 5 {
		g.Expect(s.tryToken(t, "opaque-token-of-john", "")).To(Equal(http.StatusUnauthorized))
	}
	g.Expect(s.tryToken(t, "opaque-token-of-jane", "")).To(Equal(http.StatusTooManyRequests), "the server cannot know that it is not another guess")
}

// TestIconsDoNotUseUpTheLimitOfPages requests the icons of several lists, and then a page.
func TestIconsDoNotUseUpTheLimitOfPages(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.tenant, "jane", viewer)
	for range 200 {
		g.Expect(b.get(t, "/img/none/none/icon").StatusCode).NotTo(Equal(http.StatusTooManyRequests))
	}
	g.Expect(b.get(t, "/parts/about").StatusCode).NotTo(Equal(http.StatusTooManyRequests))
}
