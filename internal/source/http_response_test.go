package source_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

func TestServerResponses(t *testing.T) {
	after := func(value string) http.Header { return http.Header{"Retry-After": {value}} }
	for _, test := range []struct {
		why     string
		answer  http.HandlerFunc
		stalled bool
		reason  string
		wait    time.Duration
	}{
		{"404", respondWith(404, nil, ""), true, v1alpha1.ReasonNotFound, 0},
		{"410", respondWith(410, nil, ""), true, v1alpha1.ReasonNotFound, 0},
		{"401", respondWith(401, nil, ""), false, v1alpha1.ReasonUnauthorized, 0},
		{"403", respondWith(403, nil, ""), false, v1alpha1.ReasonUnauthorized, 0},
		{"500", respondWith(500, nil, "<html>"), false, v1alpha1.ReasonFetchFailed, 0},
		{"204", respondWith(204, nil, ""), false, v1alpha1.ReasonFetchFailed, 0},
		{"304 for an unconditional request", respondWith(304, nil, ""), false, v1alpha1.ReasonFetchFailed, 0},
		{"429 with seconds", respondWith(429, after("120"), ""), false, v1alpha1.ReasonRateLimited, 2 * time.Minute},
		{"429 with too many seconds", respondWith(429, after("99999999999"), ""), false, v1alpha1.ReasonRateLimited, time.Hour},
		{"429 with a date", respondWith(429, after(time.Now().Add(48*time.Hour).UTC().Format(http.TimeFormat)), ""), false, v1alpha1.ReasonRateLimited, time.Hour},
		{"429 with a date in the past", respondWith(429, after("Mon, 01 Jan 2001 00:00:00 GMT"), ""), false, v1alpha1.ReasonRateLimited, 0},
		{"429 with an invalid Retry-After", respondWith(429, after("soon"), ""), false, v1alpha1.ReasonRateLimited, 0},
		{"503 with seconds", respondWith(503, after("5"), ""), false, v1alpha1.ReasonRateLimited, 5 * time.Second},
		{"503", respondWith(503, nil, ""), false, v1alpha1.ReasonFetchFailed, 0},
		{"a redirect loop", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again?token=s3cr3t", http.StatusFound)
		}, false, v1alpha1.ReasonFetchFailed, 0},
		{"a redirect to a metadata service", redirectTo("http://169.254.169.254/latest?token=s3cr3t"), true, v1alpha1.ReasonNotAllowed, 0},
		{"a redirect to a metadata service in IPv6", redirectTo("http://[::ffff:169.254.169.254]/"), true, v1alpha1.ReasonNotAllowed, 0},
		{"a redirect to 0.0.0.0", redirectTo("http://0.0.0.0/"), true, v1alpha1.ReasonNotAllowed, 0},
		{"a redirect to a file", redirectTo("file:///etc/passwd"), false, v1alpha1.ReasonFetchFailed, 0},
		{"the body is truncated", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, indexYAML[:200])
		}, false, v1alpha1.ReasonFetchFailed, 0},
		{"the connection is closed", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, v1alpha1.ReasonFetchFailed, 0},
		{"the body is not compressed as declared", respondWith(200, http.Header{"Content-Encoding": {"gzip"}}, indexYAML), false, v1alpha1.ReasonFetchFailed, 0},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			var requests atomic.Int32
			server := startServer(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				test.answer(w, r)
			})
			opened := openHelm(t, source.HelmConfig{URL: server.URL + "?token=s3cr3t", Username: "me", Password: "s3cr3t"})
			_, err := opened.List(t.Context(), hydrate.Cursor{})
			expectOutcome(g, err, test.stalled, test.reason)
			wait, waits := outcome.IsWaiting(err)
			g.Expect(waits).To(Equal(test.wait > 0))
			g.Expect(wait).To(Equal(test.wait))
			g.Expect(requests.Load()).To(BeNumerically("<", 7))
			if test.why == "the body is truncated" || test.why == "the body is not compressed as declared" {
				return // Fetch does not validate the archive.
			}
			_, err = opened.Fetch(t.Context(), hydrate.Offer{URL: "charts/a.tgz"})
			expectOutcome(g, err, test.stalled, test.reason)
		})
	}
}

func redirectTo(target string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) }
}

func TestServerTimeout(t *testing.T) {
	started := make(chan struct{}, 10)
	for why, handler := range map[string]http.HandlerFunc{
		"before the response": func(_ http.ResponseWriter, r *http.Request) { started <- struct{}{}; <-r.Context().Done() },
		"within the body": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, indexYAML[:100])
			w.(http.Flusher).Flush()
			started <- struct{}{}
			<-r.Context().Done()
		},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			server := startServer(t, handler)
			opened := openHelm(t, source.HelmConfig{URL: server.URL, Timeout: 100 * time.Millisecond})
			_, err := opened.List(t.Context(), hydrate.Cursor{})
			expectOutcome(g, err, false, v1alpha1.ReasonFetchFailed)
			g.Expect(err).To(MatchError(ContainSubstring("did not respond in time")))
			_, err = opened.Fetch(t.Context(), hydrate.Offer{URL: "a.tgz"})
			expectOutcome(g, err, false, v1alpha1.ReasonFetchFailed)
			g.Expect(started).To(HaveLen(2), "a request that timed out is not retried")
			<-started
			<-started

			slow := openHelm(t, source.HelmConfig{URL: server.URL})
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-started; cancel() }()
			_, err = slow.List(ctx, hydrate.Cursor{})
			g.Expect(err).To(MatchError(context.Canceled), "the request ends when the context is canceled")
		})
	}
}

func TestConnectionIsRetried(t *testing.T) {
	g := NewWithT(t)
	var requests atomic.Int32
	server := startServer(t, func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, indexYAML)
	})
	_, err := openHelm(t, source.HelmConfig{URL: server.URL}).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(requests.Load()).To(BeEquivalentTo(2))
}

func TestConnectionRefused(t *testing.T) {
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	address := listener.Addr().String()
	g.Expect(listener.Close()).To(Succeed())
	_, err = openHelm(t, source.HelmConfig{URL: "http://" + address}).List(t.Context(), hydrate.Cursor{})
	expectOutcome(g, err, false, v1alpha1.ReasonFetchFailed)
	g.Expect(err).To(MatchError(HaveSuffix("index.yaml: connection refused")))
}

// TestUnauthorizedNamesTheSecret has servers that reject the credentials of each type of source, and another
// server that receives none.
func TestUnauthorizedNamesTheSecret(t *testing.T) {
	reject := func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	server := startServer(t, func(w http.ResponseWriter, r *http.Request) { reject(w, r) })
	other := startServer(t, func(w http.ResponseWriter, r *http.Request) { reject(w, r) })
	git := startGitServer(t)
	git.Before = reject
	olares, err := source.Open(source.Config{Olares: &source.OlaresConfig{URL: server.URL}, Network: netguard.Policy{Loopback: true}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	helm := openHelm(t, source.HelmConfig{URL: server.URL})
	list := func(from source.Source) error {
		_, err := from.List(t.Context(), hydrate.Cursor{})
		return err
	}
	_, elsewhere := helm.Fetch(t.Context(), hydrate.Offer{URL: other.URL + "/a.tgz"})
	for advice, err := range map[string]error{
		"check the credentials in the Secret of spec.helm.secretRef, and the URL":   list(helm),
		"check the credentials in the Secret of spec.olares.secretRef, and the URL": list(olares),
		"check the credentials in the Secret of spec.git.secretRef, and the URL":    list(git.open(t, source.GitConfig{})),
		"the operator sends no credentials to this server":                          elsewhere,
	} {
		g := NewWithT(t)
		expectOutcome(g, err, false, v1alpha1.ReasonUnauthorized)
		g.Expect(err).To(MatchError(HaveSuffix("server returned 403 Forbidden: " + advice)))
	}
}
