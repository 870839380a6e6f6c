package chartrepo_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/chartrepo"
)

var tenantOwner = hydrate.Owner{Namespace: "tenant", Source: "main"}

// servedStore is a store behind a real server: the sources main and extra are shared, the
// source of a tenant is not.
type servedStore struct {
	url                           string
	small, middle, large, private hydrate.PublishRequest
	smallAt, privateAt            hydrate.Published
}

// Tokens of a servedStore.
const (
	goodToken  = "token-of-the-tenant"
	otherToken = "token-of-another"
	allToken   = "token-of-an-administrator"
	lostToken  = "token-that-cannot-be-reviewed"
)

// decideAccess is the Access of a servedStore.
func decideAccess(_ context.Context, token string, owner hydrate.Owner) (access.Decision, error) {
	switch {
	case token == lostToken:
		return access.Unauthenticated, errors.New("the API server is unavailable")
	case token == allToken, token == goodToken && owner == tenantOwner:
		return access.Allowed, nil
	case token == goodToken, token == otherToken:
		return access.Forbidden, nil
	}
	return access.Unauthenticated, nil
}

func serveStore(t *testing.T) servedStore {
	t.Helper()
	store := openStore(t, t.TempDir(), nil)
	s := servedStore{
		small: newPublication(t, main, "web", "1.0.0"), private: newPublicationWith(t, tenantOwner, "web", "1.0.0", []byte("private")),
		middle: newPublicationWith(t, extra, "web", "3.0.0", randomBytes(50_000)),
		large:  newPublicationWith(t, extra, "web", "2.0.0", randomBytes(5<<20)),
	}
	s.private.Reports["values.yaml"] = []byte("private: 1\n")
	for i := range 10 {
		publishAll(t, store, newPublication(t, main, fmt.Sprintf("more-%d", i), "1.0.0"))
	}
	at := publishAll(t, store, s.small, s.private, s.middle, s.large)
	s.smallAt, s.privateAt = at[0], at[1]
	s.url = listenLocally(t, chartrepo.Handler(store, chartrepo.HandlerOptions{
		Shared: func(owner hydrate.Owner) bool { return owner.Namespace == "market" }, Access: decideAccess,
	}))
	return s
}

// doRequest sends a request without decompressing the response.
func (s servedStore) doRequest(t testing.TB, method, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	g := gomega.NewWithT(t)
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	if request.Header.Get("Accept-Encoding") == "" {
		request.Header.Set("Accept-Encoding", "identity")
	}
	response, err := http.DefaultClient.Do(request)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	body, err := io.ReadAll(response.Body)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(response.Body.Close()).To(gomega.Succeed())
	return response, body
}

func TestPathsAndHeadersChooseTheArchive(t *testing.T) {
	s := serveStore(t)
	for _, c := range []struct {
		why, path string
		header    []string
		want      []byte
	}{
		{"path of the source", "/market/main/charts/web-1.0.0.tgz", nil, s.small.Archive},
		{"medium size, sent in one piece", "/market/extra/charts/web-3.0.0.tgz", nil, s.middle.Archive},
		{"large size, streamed", "/market/extra/charts/web-2.0.0.tgz", nil, s.large.Archive},
		{"aggregate", "/charts/web-2.0.0.tgz", nil, s.large.Archive},
		{"aggregate, qualified name", "/charts/market_main_web-1.0.0.tgz", nil, s.small.Archive},
		{"aggregate, plain name of another source", "/charts/web-1.0.0.tgz", nil, nil},
		{"aggregate, qualified name of an app with a plain name", "/charts/market_extra_web-2.0.0.tgz", nil, nil},
		{"aggregate without private sources", "/charts/tenant_main_web-1.0.0.tgz", nil, nil},
		{"source by name", "/charts/web-1.0.0.tgz", []string{"X-Market-Source", "main"}, s.small.Archive},
		{"user without such a source", "/charts/web-2.0.0.tgz", []string{"X-Market-Source", "extra", "X-Market-User", "tenant"}, s.large.Archive},
		{"source with namespace", "/charts/web-1.0.0.tgz", []string{"X-Market-Source", "market/main"}, s.small.Archive},
		{"user without source", "/charts/market_main_web-1.0.0.tgz", []string{"X-Market-User", "tenant"}, s.small.Archive},
		{"source without the chart", "/charts/web-2.0.0.tgz", []string{"X-Market-Source", "main"}, nil},
		{"unknown source", "/charts/web-1.0.0.tgz", []string{"X-Market-Source", "unknown"}, nil},
		{"unknown version", "/market/main/charts/web-3.0.0.tgz", nil, nil},
		{"chart of another source", "/market/main/charts/web-2.0.0.tgz", nil, nil},
		{"folder", "/market/main/charts/", nil, nil},
		{"folder of the source", "/market/main/", nil, nil},
		{"traversal", "/market/main/charts/..%2f..%2f..%2fetc%2fpasswd", nil, nil},
		{"one folder", "/records", nil, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := gomega.NewWithT(t)
			response, body := s.doRequest(t, http.MethodGet, c.path, c.header...)
			if c.want == nil {
				g.Expect(response.StatusCode).To(gomega.Equal(http.StatusNotFound))
				g.Expect(response.Header.Get("Cache-Control")).To(gomega.Equal("no-store"))
				return
			}
			g.Expect(response.StatusCode).To(gomega.Equal(http.StatusOK))
			g.Expect(bytes.Equal(body, c.want)).To(gomega.BeTrue())
			g.Expect(response.ContentLength).To(gomega.Equal(int64(len(c.want))))
			g.Expect(response.Header.Get("ETag")).To(gomega.Equal(`"` + digestOf(c.want) + `"`))
			g.Expect(response.Header.Get("Cache-Control")).To(gomega.Equal("public, max-age=60, must-revalidate"))
			g.Expect(response.Header.Get("Content-Type")).To(gomega.Equal("application/gzip"))
		})
	}
}

func TestStaticIndexDependsOnHeaders(t *testing.T) {
	g := gomega.NewWithT(t)
	s := serveStore(t)
	_, aggregate := s.doRequest(t, http.MethodGet, "/index.yaml")
	response, all := s.doRequest(t, http.MethodGet, "/static-index.yaml")
	g.Expect(all).To(gomega.Equal(aggregate))
	g.Expect(response.Header.Get("Vary")).To(gomega.Equal("Accept-Encoding, Authorization, X-Market-User, X-Market-Source"))
	bearer := []string{"Authorization", "Bearer " + goodToken}
	_, tenants := s.doRequest(t, http.MethodGet, "/tenant/main/index.yaml", bearer...)
	_, picked := s.doRequest(t, http.MethodGet, "/static-index.yaml", append(bearer, "X-Market-User", "tenant", "X-Market-Source", "main")...)
	g.Expect(picked).To(gomega.Equal(tenants))
	response, _ = s.doRequest(t, http.MethodGet, "/static-index.yaml", "X-Market-Source", "none")
	g.Expect(response.StatusCode).To(gomega.Equal(http.StatusNotFound))
}

func TestConditionalAndRangeRequests(t *testing.T) {
	s := serveStore(t)
	report := "/" + s.smallAt.Report + "/README.md"
	for _, path := range []string{
		"/market/main/charts/web-1.0.0.tgz", "/market/extra/charts/web-3.0.0.tgz", "/market/extra/charts/web-2.0.0.tgz", "/index.yaml", "/market/main/index.yaml", report,
	} {
		for _, encoding := range []string{"identity", "gzip", "br;q=1, gzip;q=0.5, *;q=0"} {
			t.Run(path+" "+encoding, func(t *testing.T) {
				g := gomega.NewWithT(t)
				accept := []string{"Accept-Encoding", encoding}
				whole, body := s.doRequest(t, http.MethodGet, path, accept...)
				g.Expect(whole.StatusCode).To(gomega.Equal(http.StatusOK))
				g.Expect(whole.ContentLength).To(gomega.Equal(int64(len(body))))
				tag := whole.Header.Get("ETag")
				g.Expect(tag).NotTo(gomega.BeEmpty())

				head, nothing := s.doRequest(t, http.MethodHead, path, accept...)
				g.Expect(head.StatusCode).To(gomega.Equal(http.StatusOK))
				g.Expect(nothing).To(gomega.BeEmpty())
				g.Expect(head.ContentLength).To(gomega.Equal(int64(len(body))))
				g.Expect(head.Header.Get("ETag")).To(gomega.Equal(tag))

				same, nothing := s.doRequest(t, http.MethodGet, path, append(accept, "If-None-Match", `"other", `+tag)...)
				g.Expect(same.StatusCode).To(gomega.Equal(http.StatusNotModified))
				g.Expect(nothing).To(gomega.BeEmpty())
				g.Expect(same.Header.Get("ETag")).To(gomega.Equal(tag))
				g.Expect(same.Header.Get("Cache-Control")).To(gomega.Equal(whole.Header.Get("Cache-Control")))

				other, again := s.doRequest(t, http.MethodGet, path, append(accept, "If-None-Match", `"other"`)...)
				g.Expect(other.StatusCode).To(gomega.Equal(http.StatusOK))
				g.Expect(bytes.Equal(again, body)).To(gomega.BeTrue())

				_, plain := s.doRequest(t, http.MethodGet, path)
				part, bytesOf := s.doRequest(t, http.MethodGet, path, append(accept, "Range", "bytes=10-19")...)
				g.Expect(part.StatusCode).To(gomega.Equal(http.StatusPartialContent))
				g.Expect(bytesOf).To(gomega.Equal(plain[10:20]))
				beyond, _ := s.doRequest(t, http.MethodGet, path, "Range", "bytes=99999999-")
				g.Expect(beyond.StatusCode).To(gomega.Equal(http.StatusRequestedRangeNotSatisfiable))
				stale, all := s.doRequest(t, http.MethodGet, path, "Range", "bytes=10-19", "If-Range", `"other"`)
				g.Expect(stale.StatusCode).To(gomega.Equal(http.StatusOK))
				g.Expect(all).To(gomega.HaveLen(len(plain)))
			})
		}
	}
}

func TestTextsAreCompressedIfAccepted(t *testing.T) {
	s := serveStore(t)
	for path, vary := range map[string]string{
		"/index.yaml": "Accept-Encoding", "/" + s.smallAt.Report + "/README.md": "Accept-Encoding",
		"/static-index.yaml": "Accept-Encoding, Authorization, X-Market-User, X-Market-Source",
	} {
		t.Run(path, func(t *testing.T) {
			g := gomega.NewWithT(t)
			plain, text := s.doRequest(t, http.MethodGet, path)
			packed, body := s.doRequest(t, http.MethodGet, path, "Accept-Encoding", "deflate, GZIP")
			g.Expect(plain.Header.Get("Content-Encoding")).To(gomega.BeEmpty())
			g.Expect(packed.Header.Get("Content-Encoding")).To(gomega.Equal("gzip"))
			g.Expect(packed.Header.Get("ETag")).NotTo(gomega.Equal(plain.Header.Get("ETag")))
			g.Expect(packed.Header.Get("Vary")).To(gomega.Equal(vary))
			unpacked, err := gzip.NewReader(bytes.NewReader(body))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(io.ReadAll(unpacked)).To(gomega.Equal(text))
			for _, refusal := range []string{"gzip;q=0", "gzip; q=0.000", "br", "*"} {
				refused, _ := s.doRequest(t, http.MethodGet, path, "Accept-Encoding", refusal)
				g.Expect(refused.Header.Get("Content-Encoding")).To(gomega.BeEmpty(), refusal)
			}
		})
	}
}

func TestReports(t *testing.T) {
	g := gomega.NewWithT(t)
	s := serveStore(t)
	response, body := s.doRequest(t, http.MethodGet, "/"+s.smallAt.Report+"/values.yaml")
	g.Expect(body).To(gomega.Equal(s.small.Reports["values.yaml"]))
	g.Expect(response.Header.Get("Cache-Control")).To(gomega.Equal("public, max-age=31536000, immutable"))
	g.Expect(response.Header.Get("Content-Type")).To(gomega.HavePrefix("application/yaml"))
	response, _ = s.doRequest(t, http.MethodGet, "/"+s.smallAt.Report+"/none.txt")
	g.Expect(response.StatusCode).To(gomega.Equal(http.StatusNotFound))
	all := []string{"Authorization", "Bearer " + allToken}
	response, _ = s.doRequest(t, http.MethodGet, "/reports/"+s.small.Digest[len("sha256:"):]+"/values.yaml", all...)
	g.Expect(response.StatusCode).To(gomega.Equal(http.StatusNotFound), "an archive is not a report")
	response, _ = s.doRequest(t, http.MethodGet, "/reports/"+strings.Repeat("0", 64)+"/values.yaml", all...)
	g.Expect(response.StatusCode).To(gomega.Equal(http.StatusNotFound))
}

func TestUntrustedReportsAreNotServedAsPages(t *testing.T) {
	g := gomega.NewWithT(t)
	store := openStore(t, t.TempDir(), nil)
	p := newPublication(t, main, "web", "1.0.0")
	p.Reports["page.html"] = bytes.Repeat([]byte("<script>alert(1)</script>"), 200_000)
	at := publishAll(t, store, p)[0]
	answer := getPath(t, chartrepo.Handler(store, chartrepo.HandlerOptions{}), "/"+at.Report+"/page.html", "Accept-Encoding", "gzip")
	g.Expect(answer.Body.Bytes()).To(gomega.Equal(p.Reports["page.html"]), "large reports are streamed without compression")
	g.Expect(answer.Header().Get("Content-Type")).To(gomega.Equal("application/octet-stream"))
	g.Expect(answer.Header().Get("X-Content-Type-Options")).To(gomega.Equal("nosniff"))
	g.Expect(answer.Header().Get("Content-Security-Policy")).To(gomega.Equal("sandbox; default-src 'none'"))
}

func TestOnlyReadingIsAllowed(t *testing.T) {
	g := gomega.NewWithT(t)
	s := serveStore(t)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		response, _ := s.doRequest(t, method, "/index.yaml")
		g.Expect(response.StatusCode).To(gomega.Equal(http.StatusMethodNotAllowed), method)
		g.Expect(response.Header.Get("Allow")).To(gomega.Equal("GET, HEAD"))
	}
}

func TestSharingIsRefreshed(t *testing.T) {
	g := gomega.NewWithT(t)
	store := openStore(t, t.TempDir(), nil)
	var shared atomic.Bool
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{Shared: func(hydrate.Owner) bool { return shared.Load() }})
	publishAll(t, store, newPublication(t, main, "web", "1.0.0"))
	g.Expect(getPath(t, handler, "/charts/web-1.0.0.tgz").Code).To(gomega.Equal(http.StatusNotFound))
	shared.Store(true)
	g.Eventually(func() int { return getPath(t, handler, "/charts/web-1.0.0.tgz").Code }, "5s").Should(gomega.Equal(http.StatusOK))
	g.Expect(getPath(t, handler, "/index.yaml").Body.String()).To(gomega.ContainSubstring("web-1.0.0.tgz"))
}

func TestHealthPages(t *testing.T) {
	g := gomega.NewWithT(t)
	store := openStore(t, t.TempDir(), nil)
	publishAll(t, store, newPublication(t, main, "web", "1.0.0"), newPublication(t, main, "web", "1.1.0"), newPublication(t, tenantOwner, "web", "1.0.0"))
	var failure error
	check := func(context.Context) error { return failure }
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{
		Version: "v9", Checks: []chartrepo.Check{{Name: "objects", Run: check}, {Name: "hint", Run: check, Optional: true}},
		Shared: func(owner hydrate.Owner) bool { return owner == main },
	})
	g.Expect(getPath(t, handler, "/healthz").Code).To(gomega.Equal(http.StatusOK))
	g.Expect(getPath(t, handler, "/version").Body.String()).To(gomega.ContainSubstring(`"version":"v9"`))
	var counts chartrepo.Counts
	g.Expect(json.Unmarshal(getPath(t, handler, "/status").Body.Bytes(), &counts)).To(gomega.Succeed())
	g.Expect(counts.Bytes).To(gomega.BeNumerically(">", 6000))
	counts.Bytes = 0
	g.Expect(counts).To(gomega.Equal(chartrepo.Counts{Sources: 2, Shared: 1, Apps: 2, Versions: 3}))

	g.Expect(getPath(t, handler, "/readyz").Code).To(gomega.Equal(http.StatusOK))
	failure = errors.New("caches are not filled")
	answer := getPath(t, handler, "/readyz")
	g.Expect(answer.Code).To(gomega.Equal(http.StatusServiceUnavailable))
	g.Expect(answer.Body.String()).To(gomega.MatchJSON(`{"ready":false,"dependencies":[
		{"name":"store","ready":true},{"name":"store-writable","ready":true,"optional":true},
		{"name":"objects","ready":false,"message":"caches are not filled"},
		{"name":"hint","ready":false,"optional":true,"message":"caches are not filled"}]}`))
}
