package pages_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	testissuer "github.com/appmarket/operator/test/issuer"
)

// testRefresh has tokens expire while a user looks at the pages.
func (i *issuerSite) testRefresh(t *testing.T) {
	t.Cleanup(func() { i.issuer.Configure(nil) })
	short := func(c *testissuer.Config) { c.Lifetime = 2 * time.Second }
	t.Run("many requests at once", func(t *testing.T) {
		g := NewWithT(t)
		i.issuer.Configure(short)
		b := i.signInAtIssuer(t)
		base, err := url.Parse(b.base)
		g.Expect(err).NotTo(HaveOccurred())
		before := b.Jar.Cookies(base)
		i.issuer.Configure(nil)
		asked := i.issuer.Calls("/token")
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() { g.Expect(b.get(t, "/about").StatusCode).To(Equal(http.StatusOK)) })
		}
		wait.Wait()
		g.Expect(i.issuer.Calls("/token")).To(Equal(asked+1), "the refresh token is used once")
		late := i.newBrowser(t)
		late.Jar.SetCookies(base, before)
		g.Expect(late.get(t, "/about").StatusCode).To(Equal(http.StatusOK), "a request with the cookies from before")
		g.Expect(i.issuer.Calls("/token")).To(Equal(asked + 1))
	})
	for name, change := range map[string]func(*testissuer.Config){
		"a refusal": func(c *testissuer.Config) {
			c.Answer = func(w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
				return true
			}
		},
		"a token of another user": func(c *testissuer.Config) { c.Subject = "john" },
		"no refresh token":        nil,
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			i.issuer.Configure(func(c *testissuer.Config) { short(c); c.NoRefresh = name == "no refresh token" })
			b := i.signInAtIssuer(t)
			i.issuer.Configure(change)
			g.Expect(b.get(t, "/about").StatusCode).To(Equal(http.StatusOK), "the session continues until its token ends")
			g.Eventually(func() string { return b.get(t, "/about").Header.Get("Location") }).WithTimeout(10 * time.Second).WithPolling(500 * time.Millisecond).
				Should(Equal("/login"))
		})
	}
	t.Run("an issuer that does not respond", func(t *testing.T) {
		g := NewWithT(t)
		i.issuer.Configure(short)
		b := i.signInAtIssuer(t)
		i.issuer.Configure(func(c *testissuer.Config) {
			c.Answer = func(w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, "down", http.StatusServiceUnavailable)
				return true
			}
		})
		g.Eventually(func() int { return b.get(t, "/about").StatusCode }).WithTimeout(10 * time.Second).WithPolling(500 * time.Millisecond).
			Should(Equal(http.StatusServiceUnavailable))
		g.Expect(b.get(t, "/parts/about").StatusCode).To(Equal(http.StatusServiceUnavailable))
		i.issuer.Configure(nil)
		g.Eventually(func() int { return b.get(t, "/about").StatusCode }).WithTimeout(15*time.Second).WithPolling(500*time.Millisecond).
			Should(Equal(http.StatusOK), "the session was kept")
	})
	t.Run("the stream of a page", func(t *testing.T) {
		g := NewWithT(t)
		i.issuer.Configure(short)
		b := i.signInAtIssuer(t)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+"/live?t=appinstances/"+i.namespace+"/", nil)
		g.Expect(err).NotTo(HaveOccurred())
		began := time.Now()
		stream := b.send(t, request)
		g.Expect(stream.StatusCode).To(Equal(http.StatusOK), stream.text)
		g.Expect(time.Since(began)).To(BeNumerically("<", 10*time.Second), "the stream ends with the token")
		g.Expect(stream.text).NotTo(ContainSubstring("closed"), "the page connects again")
	})
}
