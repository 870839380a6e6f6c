package license_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/outcome"
)

func TestKeysFailsClosed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why    string
		answer http.HandlerFunc
		url    string
		want   string
	}{
		{why: "unavailable server", answer: respondOK(""), url: "https://down.example/keys", want: "connection failed"},
		{why: "unknown host name", answer: respondOK(""), url: "https://unknown.example/keys", want: "resolved"},
		{why: "server without response", answer: neverRespond, want: "time limit"},
		{why: "server that stops within the response", answer: stallResponse, want: "time limit"},
		{why: "a connection that breaks", answer: abortResponse, want: "incomplete"},
		{why: "an error", answer: respondStatus(http.StatusBadGateway, string(edKeys())), want: "502"},
		{why: "not found", answer: respondStatus(http.StatusNotFound, string(edKeys())), want: "404"},
		{why: "not modified, without a conditional request", answer: respondStatus(http.StatusNotModified, ""), want: "304"},
		{why: "HTML", answer: respondOK("<html>" + private + "</html>"), want: "not a JSON Web Key Set"},
		{why: "empty response", answer: respondOK(""), want: "empty"},
		{why: "JSON that is not a key set", answer: respondOK(`{"error": "` + private + `"}`), want: "not a JSON Web Key Set"},
		{why: "a stream of a gigabyte", answer: respondEndlessly, want: "too large"},
		{why: "one byte too many", answer: respondOK(`{"keys":[]}` + strings.Repeat(" ", license.MaxKeySetBytes)), want: "too large"},
		{why: "another host", answer: redirectTo("http://evil.example/keys"), want: "another server"},
		{why: "another port", answer: redirectTo("http://localhost:81/keys"), want: "another server"},
		{why: "https of the same host", answer: redirectTo("https://localhost/keys"), want: "another server"},
		{why: "endless redirects", answer: redirectTo("/keys"), want: "more than 5 times"},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			inBubble(t, c.answer, func(t *testing.T, opts license.Options) {
				g, url := NewWithT(t), c.url
				if url == "" {
					url = keysURL
				}
				began := time.Now()
				_, err := license.NewKeys(opts).Check(t.Context(), newCredential(nil), newTerms(nil), url)
				g.Expect(err).To(MatchError(And(ContainSubstring(c.want), Not(ContainSubstring(private)), Not(ContainSubstring("evil")))))
				g.Expect(time.Since(began)).To(BeNumerically("<=", 10*time.Second))
				expectWaiting(g, err, 15*time.Second)
			})
		})
	}
}

func TestKeysFollowsRedirectsOfSameServer(t *testing.T) {
	t.Parallel()
	inBubble(t, newScriptedServer(redirectTo("/v2/keys"), respondOK(string(edKeys()))), func(t *testing.T, opts license.Options) {
		_, err := license.NewKeys(opts).Get(t.Context(), keysURL)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
	})
}

func TestKeysLimitsRedirects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		redirects int
		reason    string
	}{{5, ""}, {6, v1alpha1.ReasonLicenseKeysUnavailable}} {
		all := []http.HandlerFunc{}
		for range c.redirects {
			all = append(all, redirectTo("/keys"))
		}
		inBubble(t, newScriptedServer(append(all, respondOK(string(edKeys())))...), func(t *testing.T, opts license.Options) {
			_, err := license.NewKeys(opts).Get(t.Context(), keysURL)
			NewWithT(t).Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%d redirects: %v", c.redirects, err)
		})
	}
}

func TestKeysRejectsURLs(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{true, false} {
		for why, url := range map[string]string{
			"http":               "http://shop.example.com/keys",
			"http to a name":     "http://localhost.example.com/keys",
			"credentials":        "https://alice:" + private + "@shop.example.com/keys",
			"a file":             "file:///etc/passwd",
			"no host":            "https:///keys",
			"no URL":             "https://shop example/" + private,
			"nothing":            "",
			"a URL without host": "keys",
		} {
			t.Run(fmt.Sprintf("%s, plain %t", why, plain), func(t *testing.T) {
				t.Parallel()
				keys := license.NewKeys(license.Options{Transport: failingTransport{t}, AllowPlainHTTP: plain})
				_, err := keys.Get(t.Context(), url)
				expectStalled(NewWithT(t), err, v1alpha1.ReasonLicenseKeysUnavailable)
			})
		}
	}
	t.Run("http to loopback without permission", func(t *testing.T) {
		t.Parallel()
		_, err := license.NewKeys(license.Options{Transport: failingTransport{t}}).Get(t.Context(), "http://127.0.0.1/keys")
		expectStalled(NewWithT(t), err, v1alpha1.ReasonLicenseKeysUnavailable)
	})
	t.Run("no transport", func(t *testing.T) {
		t.Parallel()
		_, err := license.NewKeys(license.Options{}).Get(t.Context(), "https://127.0.0.1:1/keys")
		expectWaiting(NewWithT(t), err, 15*time.Second)
		NewWithT(t).Expect(err).To(MatchError(ContainSubstring("no transport")))
	})
}

// failingTransport is a transport that must not be used.
type failingTransport struct{ t *testing.T }

func (u failingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	u.t.Errorf("unexpected request to %s", r.URL)
	return nil, http.ErrNotSupported
}

func redirectTo(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }
}
