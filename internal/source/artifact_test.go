package source_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
)

// artifactServer serves artifacts, and counts requests and bytes.
type artifactServer struct {
	url string
	dir string

	mu       sync.Mutex
	served   []byte
	requests []string
	bytes    int
}

func startArtifactServer(t *testing.T, data []byte) *artifactServer {
	s := &artifactServer{dir: t.TempDir(), served: data}
	s.url = startServer(t, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")))
		s.bytes += len(s.served)
		_, _ = w.Write(s.served) // The client can end a request.
	}).URL
	return s
}

// take returns the requests and bytes since the last call.
func (s *artifactServer) take() ([]string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, bytes := s.requests, s.bytes
	s.requests, s.bytes = nil, 0
	return requests, bytes
}

// open opens the served artifact as a source.
func (s *artifactServer) open(t *testing.T, cfg source.ArtifactConfig) source.Source {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = s.url + "/gitrepository/market/charts/latest.tar.gz"
	}
	if cfg.Digest == "" {
		cfg.Digest = chart.Digest(s.served)
	}
	cfg.Title, cfg.Checkouts = `GitRepository "charts"`, &source.Checkouts{Dir: s.dir}
	opened, err := source.Open(source.Config{Artifact: &cfg, Network: netguard.Policy{Loopback: true}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return opened
}

// packTree returns a gzipped tar of files.
func packTree(t *testing.T, files map[string]string) []byte {
	t.Helper()
	g := NewWithT(t)
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	in := tar.NewWriter(zipped)
	for name, content := range files {
		g.Expect(in.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o644})).To(Succeed())
		_, err := in.Write([]byte(content))
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(in.Close()).To(Succeed())
	g.Expect(zipped.Close()).To(Succeed())
	return out.Bytes()
}

func TestArtifactIsFetchedOnce(t *testing.T) {
	g := NewWithT(t)
	server := startArtifactServer(t, packTree(t, map[string]string{
		"charts/web/Chart.yaml": chartText("web", "1.0.0"), "charts/web/templates/map.yaml": "kind: ConfigMap\n", "README.md": "x",
	}))
	opened := server.open(t, source.ArtifactConfig{Path: "charts"})
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
	g.Expect(listing.ETag).To(Equal(chart.Digest(server.served)))
	requests, sent := server.take()
	g.Expect(requests).To(Equal([]string{"GET /gitrepository/market/charts/latest.tar.gz"}))
	g.Expect(sent).To(Equal(len(server.served)))

	content, err := opened.Fetch(t.Context(), listing.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Files).To(HaveLen(2))
	cursor := hydrate.Cursor{Revision: listing.Revision, ETag: listing.ETag}
	unchanged, err := server.open(t, source.ArtifactConfig{Path: "charts"}).List(t.Context(), cursor)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unchanged.NotModified).To(BeTrue())
	requests, _ = server.take()
	g.Expect(requests).To(BeEmpty(), "the digest has not changed")

	server.served = packTree(t, map[string]string{"charts/web/Chart.yaml": chartText("web", "1.1.0")})
	changed, err := server.open(t, source.ArtifactConfig{Path: "charts"}).List(t.Context(), cursor)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(changed)).To(Equal([]string{"web 1.1.0"}))

	// Another process fetches a chart.
	g.Expect(os.RemoveAll(server.dir)).To(Succeed())
	server.take()
	content, err = server.open(t, source.ArtifactConfig{Path: "charts"}).Fetch(t.Context(), changed.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Files).To(HaveLen(1))
	requests, _ = server.take()
	g.Expect(requests).To(HaveLen(1))
}

func TestArtifactOfHelmChart(t *testing.T) {
	g := NewWithT(t)
	data := packTree(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")})
	server := startArtifactServer(t, data)
	opened := server.open(t, source.ArtifactConfig{IsChart: true, Digest: fmt.Sprintf("sha512:%x", sha512.Sum512(data))})
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
	content, err := opened.Fetch(t.Context(), listing.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Archive).To(Equal(data))
}

// TestHostileArtifacts has servers and artifacts that must not be used. Package archive tests the contents
// of artifacts.
func TestHostileArtifacts(t *testing.T) {
	good := packTree(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")})
	for _, c := range []struct {
		why     string
		cfg     source.ArtifactConfig
		handler http.HandlerFunc
		stalled bool
		reason  string
		says    string
	}{
		{why: "another artifact", cfg: source.ArtifactConfig{Digest: chart.Digest([]byte("x"))}, stalled: true, reason: v1alpha1.ReasonDigestMismatch, says: "does not have the digest sha256:"},
		{why: "a truncated artifact", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)))
			_, _ = w.Write(good[:10])
		}, reason: v1alpha1.ReasonFetchFailed, says: "closed before the end"},
		{why: "an artifact that does not end", handler: func(w http.ResponseWriter, _ *http.Request) {
			for block := make([]byte, 1<<20); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, stalled: true, reason: v1alpha1.ReasonLimitExceeded, says: "larger than 67108864 bytes"},
		{why: "a chart that does not end", cfg: source.ArtifactConfig{IsChart: true}, handler: func(w http.ResponseWriter, _ *http.Request) {
			for block := make([]byte, 1<<20); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, stalled: true, reason: v1alpha1.ReasonLimitExceeded, says: "larger than 16777216 bytes"},
		{why: "a server that does not respond", cfg: source.ArtifactConfig{Timeout: 200 * time.Millisecond}, handler: func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, reason: v1alpha1.ReasonFetchFailed, says: "did not respond in time"},
		{why: "an artifact that was removed", handler: respondWith(http.StatusNotFound, nil, "s3cr3t"), reason: v1alpha1.ReasonFetchFailed, says: "server returned 404"},
		{why: "a server that asks for credentials", handler: respondWith(http.StatusUnauthorized, nil, "s3cr3t"), reason: v1alpha1.ReasonUnauthorized, says: "server returned 401"},
		{why: "a redirect to a metadata service", handler: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		}, stalled: true, reason: v1alpha1.ReasonNotAllowed, says: "link-local"},
		{why: "a URL of a metadata service", cfg: source.ArtifactConfig{URL: "http://169.254.169.254/latest"}, stalled: true, reason: v1alpha1.ReasonNotAllowed, says: "link-local"},
		{why: "a URL of a file", cfg: source.ArtifactConfig{URL: "file://localhost/etc/passwd"}, stalled: true, reason: v1alpha1.ReasonFetchFailed, says: "http"},
		{why: "text", handler: respondWith(http.StatusOK, nil, "s3cr3t"), cfg: source.ArtifactConfig{Digest: chart.Digest([]byte("s3cr3t"))}, stalled: true, reason: v1alpha1.ReasonInvalidIndex, says: "not a gzip archive"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			server := startArtifactServer(t, good)
			if c.handler != nil {
				c.cfg.URL = startServer(t, c.handler).URL
			}
			_, err := server.open(t, c.cfg).List(t.Context(), hydrate.Cursor{})
			expectOutcome(g, err, c.stalled, c.reason)
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
			left, err := os.ReadDir(server.dir)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(left).To(BeEmpty(), "no files are left")
		})
	}
}

func TestArtifactConfigIsChecked(t *testing.T) {
	for _, cfg := range []source.ArtifactConfig{
		{URL: "http://flux.example/a", Digest: "md5:00"}, {URL: "http://flux.example/a", Digest: "sha256:00"}, {URL: "http://flux.example/a"},
		{URL: "http://me:pw@flux.example/a", Digest: chart.Digest(nil)}, {URL: "/a", Digest: chart.Digest(nil)},
	} {
		cfg.Title = `GitRepository "charts"`
		_, err := source.Open(source.Config{Artifact: &cfg})
		expectOutcome(NewWithT(t), err, true, v1alpha1.ReasonInvalidSpec)
		NewWithT(t).Expect(err).To(MatchError(And(HavePrefix("spec.artifact: "), Not(ContainSubstring(":pw")))))
	}
}
