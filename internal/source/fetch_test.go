package source_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/source"
)

func TestCredentialsAreSentToTheRepositoryOnly(t *testing.T) {
	var abroad atomic.Value
	abroad.Store("")
	other := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		abroad.Store(abroad.Load().(string) + "|" + r.Header.Get("Authorization") + r.Header.Get("Referer"))
		fmt.Fprint(w, "\x1f\x8babroad")
	})
	var home *httptest.Server
	var seen atomic.Value
	home = startServer(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/charts/away.tgz":
			http.Redirect(w, r, other.URL+"/x.tgz", http.StatusFound)
		case "/charts/within.tgz":
			http.Redirect(w, r, "/charts/home.tgz", http.StatusFound)
		default:
			fmt.Fprint(w, "\x1f\x8bhome")
		}
	})
	// The same server by another host name. By default the client of Go sends the
	// credentials to subdomains.
	parsed, err := url.Parse(home.URL)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, test := range []struct {
		why  string
		cfg  source.HelmConfig
		url  string
		want string
		sent string
	}{
		{"a relative URL, basic", source.HelmConfig{Username: "me", Password: "pw"}, "charts/home.tgz", "home", "Basic bWU6cHc="},
		{"a relative URL, bearer", source.HelmConfig{Token: "tk"}, "/charts/home.tgz", "home", "Bearer tk"},
		{"an absolute URL of the repository", source.HelmConfig{Token: "tk"}, home.URL + "/charts/home.tgz", "home", "Bearer tk"},
		{"a redirect to the repository", source.HelmConfig{Token: "tk"}, "charts/within.tgz", "home", "Bearer tk"},
		{"a redirect to another port", source.HelmConfig{Token: "tk"}, "charts/away.tgz", "abroad", "Bearer tk"},
		{"a URL on another port", source.HelmConfig{Token: "tk"}, other.URL + "/x.tgz", "abroad", ""},
		{"a URL on another host", source.HelmConfig{Token: "tk"}, "http://localhost:" + parsed.Port() + "/charts/home.tgz", "home", ""},
		{"no credentials", source.HelmConfig{}, "charts/home.tgz", "home", ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			seen.Store("")
			test.cfg.URL = home.URL
			payload, err := openHelm(t, test.cfg).Fetch(t.Context(), hydrate.Offer{URL: test.url})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(payload.Archive)).To(HaveSuffix(test.want))
			g.Expect(seen.Load()).To(Equal(test.sent))
		})
	}
	NewWithT(t).Expect(abroad.Load()).To(Equal("||"), "two requests without credentials")
}

func TestFetch(t *testing.T) {
	g := NewWithT(t)
	archive := append([]byte("\x1f\x8b"), bytes.Repeat([]byte("x"), 1000)...)
	server := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/repo/charts/a.tgz":
			g.Expect(r.URL.RawQuery).To(Equal("key=1"), "a relative URL has the query of the repository")
			// Some servers derive the encoding from the extension of the file.
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Type", "text/html")
			w.Write(archive)
		case "/page.tgz":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, "<html>sign in</html>")
		case "/other.tgz":
			fmt.Fprint(w, "not an archive")
		case "/content-length.tgz":
			w.Header().Set("Content-Length", fmt.Sprint(chart.MaxArchiveBytes+1))
			w.WriteHeader(http.StatusOK)
		case "/endless.tgz":
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}
	})
	opened := openHelm(t, source.HelmConfig{URL: server.URL + "/repo?key=1"})
	payload, err := opened.Fetch(t.Context(), hydrate.Offer{URL: "charts/a.tgz"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(payload).To(Equal(hydrate.ChartContent{Archive: archive}), "the unchanged bytes")

	payload, err = opened.Fetch(t.Context(), hydrate.Offer{URL: "/other.tgz"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(payload.Archive)).To(Equal("not an archive"), "Fetch does not validate the archive")

	for url, reason := range map[string]string{
		"/page.tgz":                 v1alpha1.ReasonInvalidArchive,
		"/content-length.tgz":       v1alpha1.ReasonLimitExceeded,
		"/endless.tgz":              v1alpha1.ReasonLimitExceeded,
		"file:///etc/passwd":        v1alpha1.ReasonFetchFailed,
		"ftp://host.test/x":         v1alpha1.ReasonFetchFailed,
		"http://u:s3cr3t@host.test": v1alpha1.ReasonFetchFailed,
		"":                          v1alpha1.ReasonFetchFailed,
	} {
		t.Run(url, func(t *testing.T) {
			_, err := opened.Fetch(t.Context(), hydrate.Offer{URL: url})
			expectOutcome(NewWithT(t), err, true, reason)
		})
	}
}

func TestCertificates(t *testing.T) {
	g := NewWithT(t)
	plain := startServer(t, respondWith(200, nil, indexYAML))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down/index.yaml" {
			http.Redirect(w, r, plain.URL, http.StatusFound)
			return
		}
		fmt.Fprint(w, indexYAML)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})

	_, err := openHelm(t, source.HelmConfig{URL: server.URL}).List(t.Context(), hydrate.Cursor{})
	expectOutcome(g, err, false, v1alpha1.ReasonFetchFailed)
	_, err = openHelm(t, source.HelmConfig{URL: server.URL, TransportConfig: source.TransportConfig{CA: ca}}).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = openHelm(t, source.HelmConfig{URL: server.URL + "/down", TransportConfig: source.TransportConfig{CA: ca}}).List(t.Context(), hydrate.Cursor{})
	expectOutcome(g, err, false, v1alpha1.ReasonFetchFailed)
	g.Expect(err).To(MatchError(HaveSuffix("redirected from https to http")))
}
