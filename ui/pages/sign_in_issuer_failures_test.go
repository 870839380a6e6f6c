package pages_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	testissuer "github.com/appmarket/operator/test/issuer"
	"github.com/appmarket/operator/ui/issuer"
)

// testLimit has one client send more codes at the same time than it may, and then another client one.
func (i *issuerSite) testLimit(t *testing.T) {
	g := NewWithT(t)
	begin := func() func(address string) int {
		b := i.newBrowser(t)
		back := i.beginSignIn(t, b)
		return func(address string) int { return b.getWith(t, back, "X-Forwarded-For: "+address).StatusCode }
	}
	var finish []func(address string) int
	for range 40 {
		finish = append(finish, begin())
	}
	var limited atomic.Int64
	var waiting sync.WaitGroup
	for _, each := range finish {
		waiting.Go(func() {
			if each("192.0.2.1") == http.StatusTooManyRequests {
				limited.Add(1)
			}
		})
	}
	waiting.Wait()
	g.Expect(limited.Load()).To(BeNumerically(">", 0))
	g.Expect(begin()("192.0.2.2")).To(Equal(http.StatusSeeOther))
}

// testFailures has the issuer fail in the ways of a server.
func (i *issuerSite) testFailures(t *testing.T) {
	t.Cleanup(func() { i.issuer.Configure(nil) })
	fail := func(path string, write func(http.ResponseWriter)) func(*testissuer.Config) {
		return func(c *testissuer.Config) {
			c.Answer = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == path {
					write(w)
				}
				return r.URL.Path == path
			}
		}
	}
	const secret = "secret-text-of-the-issuer"
	for name, write := range map[string]func(http.ResponseWriter){
		"an error": func(w http.ResponseWriter) { http.Error(w, secret, http.StatusBadGateway) },
		"nonsense": func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>" + secret)) },
		"a redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", i.issuer.URL+"/keys")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"a long body": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"access_token":"` + strings.Repeat(secret, 100000) + `"}`))
		},
		"no answer": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			b := i.newBrowser(t)
			back := i.beginSignIn(t, b)
			i.issuer.Configure(fail("/token", write))
			keys := i.issuer.Calls("/keys")
			response := b.get(t, back)
			g.Expect(response.StatusCode).To(Equal(http.StatusServiceUnavailable), response.text)
			g.Expect(response.Header.Get("Retry-After")).NotTo(BeEmpty())
			g.Expect(response.text).To(ContainSubstring("did not respond as expected"))
			g.Expect(response.text).NotTo(ContainSubstring(secret))
			g.Expect(i.issuer.Calls("/keys")).To(Equal(keys), "a redirect is not followed")

			fresh := newIssuer(t, i.issuer, "https://pages.example")
			i.issuer.Configure(fail("/.well-known/openid-configuration", write))
			_, err := fresh.SignInURL(t.Context(), "a", "b", "c")
			g.Expect(errors.Is(err, issuer.ErrUnavailable)).To(BeTrue(), "%v", err)
			g.Expect(err.Error()).NotTo(ContainSubstring(secret))
			i.issuer.Configure(nil)
			_, err = fresh.SignInURL(t.Context(), "a", "b", "c")
			g.Expect(err).To(HaveOccurred(), "a failure is remembered for a moment")
		})
	}
	for name, metadata := range map[string]map[string]any{
		"metadata of another issuer":      {"issuer": "https://evil.example"},
		"a token endpoint without TLS":    {"token_endpoint": "http://127.0.0.1/token"},
		"a sign-in page that is a script": {"authorization_endpoint": "javascript:alert(1)"},
	} {
		t.Run(name, func(t *testing.T) {
			i.issuer.Configure(func(c *testissuer.Config) { c.Metadata = metadata })
			_, err := newIssuer(t, i.issuer, "https://pages.example").SignInURL(t.Context(), "a", "b", "c")
			NewWithT(t).Expect(errors.Is(err, issuer.ErrUnavailable)).To(BeTrue(), "%v", err)
		})
	}
	t.Run("metadata without end", func(t *testing.T) {
		g := NewWithT(t)
		var written atomic.Int64
		i.issuer.Configure(fail("/.well-known/openid-configuration", func(w http.ResponseWriter) {
			chunk := []byte(strings.Repeat(" ", 1<<20))
			for range 256 {
				n, err := w.Write(chunk)
				if written.Add(int64(n)); err != nil {
					return
				}
			}
		}))
		_, err := newIssuer(t, i.issuer, "https://pages.example").SignInURL(t.Context(), "a", "b", "c")
		g.Expect(errors.Is(err, issuer.ErrUnavailable)).To(BeTrue(), "%v", err)
		g.Consistently(written.Load).Should(BeNumerically("<", 64<<20), "the rest is not read")
	})
	t.Run("an endpoint at a metadata service", func(t *testing.T) {
		g := NewWithT(t)
		i.issuer.Configure(func(c *testissuer.Config) {
			c.Metadata = map[string]any{"token_endpoint": "https://169.254.169.254/token"}
		})
		_, err := newIssuer(t, i.issuer, "https://pages.example").ExchangeCode(t.Context(), "a", "b", "c")
		g.Expect(err).To(MatchError(ContainSubstring("address not allowed")))
	})
}
