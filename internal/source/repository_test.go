package source_test

import (
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
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

const indexYAML = `apiVersion: v1
entries:
  web:
  - name: web
    version: 1.0.0
    urls: [charts/web-1.0.0.tgz]
  - name: web
    version: 1.10.0
    appVersion: "7"
    created: "2026-01-02T03:04:05Z"
    digest: AA0000000000000000000000000000000000000000000000000000000000000A
    deprecated: true
    urls: [charts/web-1.10.0.tgz]
  - name: web
    version: 1.9.0
    urls: [charts/web-1.9.0.tgz]
  - name: web
    version: 1.9.0
    urls: [double]
  - name: web
    version: 2.0.0-rc.1
    urls: [charts/web-2.tgz]
  - name: web
    version: 3.0.0
    removed: true
    urls: [charts/web-3.tgz]
  cache:
  - name: cache
    version: v0.1
    urls: [charts/cache.tgz]
  Bad:
  - name: Bad
    version: 1.0.0
    urls: [x]
generated: "2026-01-02T03:04:05Z"
`

// startServer starts a server that is stopped at the end of the test.
func startServer(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// respondWith returns a handler that always sends the same response.
func respondWith(status int, header http.Header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for key, values := range header {
			w.Header()[key] = values
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func openHelm(t *testing.T, helm source.HelmConfig) source.Source {
	t.Helper()
	opened, err := source.Open(source.Config{Helm: &helm, UserAgent: "market/1", Network: netguard.Policy{Loopback: true}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return opened
}

// expectOutcome asserts the class and reason of an error, and that its text is safe to show.
func expectOutcome(g Gomega, err error, stalled bool, reason string) {
	g.Expect(err).To(HaveOccurred())
	g.Expect(outcome.Reason(err, "")).To(Equal(reason), "%v", err)
	g.Expect(outcome.IsStalled(err)).To(Equal(stalled), "%v", err)
	g.Expect(err.Error()).NotTo(ContainSubstring("s3cr3t"))
	g.Expect(err.Error()).NotTo(MatchRegexp(`->|\n`))
}

func TestListRepository(t *testing.T) {
	g := NewWithT(t)
	server := startServer(t, respondWith(200, nil, indexYAML))
	opened, err := source.Open(source.Config{Helm: &source.HelmConfig{URL: server.URL}, Network: netguard.Policy{Loopback: true}})
	g.Expect(err).NotTo(HaveOccurred())
	list, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(list.Apps).To(Equal([]hydrate.App{
		{Name: "cache", Offers: []hydrate.Offer{{Version: "v0.1", URL: "charts/cache.tgz"}}},
		{Name: "web", Offers: []hydrate.Offer{
			{Version: "2.0.0-rc.1", URL: "charts/web-2.tgz"},
			{
				Version: "1.10.0", AppVersion: "7", URL: "charts/web-1.10.0.tgz", Deprecated: true,
				Digest: "sha256:aa0000000000000000000000000000000000000000000000000000000000000a", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			},
			{Version: "1.9.0", URL: "charts/web-1.9.0.tgz"},
		}},
	}))
	g.Expect(list.Skipped).To(HaveLen(1))
	g.Expect(list.Skipped[0].Name).To(Equal("Bad"))
	expectOutcome(g, list.Skipped[0].Err, true, v1alpha1.ReasonInvalidIndex)
	g.Expect(list.Revision).To(MatchRegexp("^sha256:[0-9a-f]{64}$"))
}

func TestListFilter(t *testing.T) {
	server := startServer(t, respondWith(200, nil, indexYAML))
	for _, test := range []struct {
		why              string
		include, exclude []string
		keep             int
		want             string
	}{
		{"no pattern", nil, nil, 0, "cache:1 web:3"},
		{"include", []string{"w*", "x"}, nil, 0, "web:3"},
		{"include and exclude", []string{"*"}, []string{"[a-v]*"}, 0, "web:3"},
		{"everything is excluded", nil, []string{"*"}, 0, ""},
		{"one version", nil, nil, 1, "cache:1 web:1"},
		{"more versions than there are", nil, nil, 100, "cache:1 web:4"},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			opened, err := source.Open(source.Config{Helm: &source.HelmConfig{URL: server.URL}, Include: test.include, Exclude: test.exclude, MaxVersions: test.keep, Network: netguard.Policy{Loopback: true}})
			g.Expect(err).NotTo(HaveOccurred())
			list, err := opened.List(t.Context(), hydrate.Cursor{})
			g.Expect(err).NotTo(HaveOccurred())
			var got []string
			for _, app := range list.Apps {
				got = append(got, fmt.Sprintf("%s:%d", app.Name, len(app.Offers)))
			}
			g.Expect(strings.Join(got, " ")).To(Equal(test.want))
		})
	}
}

func TestListNotModified(t *testing.T) {
	g := NewWithT(t)
	var requests, bodies atomic.Int32
	etag := `"one"`
	text := indexYAML
	server := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		bodies.Add(1)
		fmt.Fprint(w, text)
	})
	opened := openHelm(t, source.HelmConfig{URL: server.URL})
	first, err := opened.List(t.Context(), hydrate.Cursor{ETag: etag})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(first.NotModified).To(BeFalse(), "an ETag without a revision is not sent")
	mark := hydrate.Cursor{Revision: first.Revision, ETag: first.ETag}

	second, err := opened.List(t.Context(), mark)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(second).To(Equal(hydrate.Listing{Revision: mark.Revision, ETag: mark.ETag, NotModified: true}))
	g.Expect(requests.Load()).To(BeEquivalentTo(2), "one request for each listing")
	g.Expect(bodies.Load()).To(BeEquivalentTo(1), "the second response has no body")

	etag, text = `"two"`, strings.Replace(indexYAML, `generated: "2026`, `generated: "2027`, 1)
	third, err := opened.List(t.Context(), mark)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(third).To(Equal(hydrate.Listing{Revision: mark.Revision, ETag: etag, NotModified: true}), "the field generated is not part of the listing")

	etag, text = `"three"`, strings.Replace(indexYAML, "1.9.0", "1.9.1", 1)
	fourth, err := opened.List(t.Context(), mark)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(fourth.NotModified).To(BeFalse())
	g.Expect(fourth.Revision).NotTo(Equal(mark.Revision))
	g.Expect(fourth.Apps).To(HaveLen(2))
}

// TestListNotModifiedSince lists a repository whose server sends no ETag. The server of Python
// ignores If-Modified-Since if a request has If-None-Match.
func TestListNotModifiedSince(t *testing.T) {
	changed := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		why string
		age time.Duration
		// with is the If-Modified-Since header of the second request.
		with   string
		bodies int32
	}{
		{"modified yesterday", 24 * time.Hour, changed.Format(http.TimeFormat), 1},
		{"modified in this second, and may change again", 0, "", 2},
		{"modified in the second before, and the clock may be rounded", time.Second, "", 2},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			var bodies atomic.Int32
			var with atomic.Value
			server := startServer(t, func(w http.ResponseWriter, r *http.Request) {
				g.Expect(r.Header).NotTo(HaveKey("If-None-Match"))
				with.Store(r.Header.Get("If-Modified-Since"))
				w.Header().Set("Date", changed.Add(test.age).Format(http.TimeFormat))
				w.Header().Set("Last-Modified", changed.Format(http.TimeFormat))
				if r.Header.Get("If-Modified-Since") == changed.Format(http.TimeFormat) {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				bodies.Add(1)
				fmt.Fprint(w, indexYAML)
			})
			opened := openHelm(t, source.HelmConfig{URL: server.URL})
			first, err := opened.List(t.Context(), hydrate.Cursor{})
			g.Expect(err).NotTo(HaveOccurred())
			second, err := opened.List(t.Context(), hydrate.Cursor{Revision: first.Revision, ETag: first.ETag})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(second.NotModified).To(BeTrue())
			g.Expect(with.Load()).To(Equal(test.with))
			g.Expect(bodies.Load()).To(Equal(test.bodies))
		})
	}
}

func TestTooLongValidator(t *testing.T) {
	g := NewWithT(t)
	server := startServer(t, respondWith(200, http.Header{"Etag": {strings.Repeat("x", 2000)}}, indexYAML))
	list, err := openHelm(t, source.HelmConfig{URL: server.URL}).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(list.ETag).To(BeEmpty(), "the status cannot hold it")
}

func TestListGzip(t *testing.T) {
	g := NewWithT(t)
	server := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		g.Expect(r.Header.Get("Accept-Encoding")).To(ContainSubstring("gzip"))
		g.Expect(r.Header.Get("User-Agent")).To(Equal("market/1"))
		g.Expect(r.URL.Path).To(Equal("/deep/index.yaml"))
		w.Header().Set("Content-Encoding", "gzip")
		zipped := gzip.NewWriter(w)
		fmt.Fprint(zipped, indexYAML)
		g.Expect(zipped.Close()).To(Succeed())
	})
	for _, path := range []string{"/deep", "/deep/", "/deep/index.yaml"} {
		list, err := openHelm(t, source.HelmConfig{URL: server.URL + path}).List(t.Context(), hydrate.Cursor{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(list.Apps).To(HaveLen(2))
	}
}

func TestListInvalidIndex(t *testing.T) {
	for _, text := range []string{"<!DOCTYPE html>\n<html></html>", "entries: {}", "a: \"", "", `{"error":"x"}`} {
		g := NewWithT(t)
		server := startServer(t, respondWith(200, nil, text))
		_, err := openHelm(t, source.HelmConfig{URL: server.URL}).List(t.Context(), hydrate.Cursor{})
		expectOutcome(g, err, true, v1alpha1.ReasonInvalidIndex)
	}
}

func TestOpenInvalidConfig(t *testing.T) {
	for why, cfg := range map[string]source.Config{
		"no source":               {},
		"two sources":             {Helm: &source.HelmConfig{URL: "http://h"}, Directory: &source.DirectoryConfig{Path: "/"}},
		"no URL":                  {Helm: &source.HelmConfig{}},
		"another URL scheme":      {Helm: &source.HelmConfig{URL: "oci://h/x"}},
		"an invalid URL":          {Helm: &source.HelmConfig{URL: "http://s3cr3t:x y@h"}},
		"credentials in a URL":    {Helm: &source.HelmConfig{URL: "http://me:s3cr3t@h?s3cr3t"}},
		"a user name and a token": {Helm: &source.HelmConfig{URL: "http://h", Username: "s3cr3t", Token: "s3cr3t"}},
		"an invalid CA":           {Helm: &source.HelmConfig{URL: "http://h", TransportConfig: source.TransportConfig{CA: []byte("s3cr3t")}}},
		"an invalid certificate":  {Helm: &source.HelmConfig{URL: "http://h", TransportConfig: source.TransportConfig{Certificate: []byte("s3cr3t"), Key: []byte("s3cr3t")}}},
		"an invalid proxy":        {Helm: &source.HelmConfig{URL: "http://h", TransportConfig: source.TransportConfig{Proxy: source.ProxyConfig{Address: "s3cr3t"}}}},
		"an invalid pattern":      {Helm: &source.HelmConfig{URL: "http://h"}, Include: []string{"a["}},
		"a relative path":         {Directory: &source.DirectoryConfig{Path: "x"}},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			opened, err := source.Open(cfg)
			expectOutcome(g, err, true, v1alpha1.ReasonInvalidSpec)
			g.Expect(reflect.ValueOf(opened).IsValid()).To(BeFalse(), "and not a typed nil either")
		})
	}
}
