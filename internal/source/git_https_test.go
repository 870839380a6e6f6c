package source_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/gitserver"
)

// gitServer is a repository that is served over HTTPS.
type gitServer struct {
	*gitserver.Repository
	url string
	ca  []byte
	dir string
}

func startGitServer(t *testing.T) *gitServer {
	t.Helper()
	repository, err := gitserver.New(t.TempDir())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	server := httptest.NewUnstartedServer(repository)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return &gitServer{
		Repository: repository, url: server.URL + "/team/charts.git", dir: t.TempDir(),
		ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
}

func (s *gitServer) commit(t *testing.T, files map[string]string) string {
	t.Helper()
	commit, err := s.Commit(files)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return commit
}

func (s *gitServer) tag(t *testing.T, arguments ...string) {
	t.Helper()
	_, err := s.Git("", append([]string{"tag"}, arguments...)...)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

// open opens the repository as a source.
func (s *gitServer) open(t *testing.T, cfg source.GitConfig) source.Source {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = s.url
	}
	if cfg.CA == nil {
		cfg.CA = s.ca
	}
	cfg.Checkouts = &source.Checkouts{Dir: s.dir}
	opened, err := source.Open(source.Config{Git: &cfg, Network: netguard.Policy{Loopback: true}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return opened
}

func TestGitCredentials(t *testing.T) {
	var abroad atomic.Int32
	other := startServer(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			abroad.Add(1)
		}
	})
	for _, c := range []struct {
		why    string
		cfg    source.GitConfig
		before func(w http.ResponseWriter, r *http.Request) bool
		sent   string
		reason string
	}{
		{why: "basic", cfg: source.GitConfig{Username: "me", Password: "pw"}, sent: " Basic bWU6cHc="},
		{why: "bearer", cfg: source.GitConfig{Token: "tk"}, sent: " Bearer tk"},
		{why: "rejected", cfg: source.GitConfig{Token: "tk"}, before: func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}, reason: v1alpha1.ReasonUnauthorized},
		{why: "a redirect to http", cfg: source.GitConfig{Token: "tk"}, before: func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, other.URL+"/info/refs", http.StatusFound)
			return true
		}, reason: v1alpha1.ReasonFetchFailed},
		{why: "a redirect to a metadata service", before: func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "https://169.254.169.254/info/refs", http.StatusFound)
			return true
		}, reason: v1alpha1.ReasonNotAllowed},
		{why: "a redirect within the server", cfg: source.GitConfig{Token: "tk"}, before: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/team/") {
				return false
			}
			http.Redirect(w, r, "/moved/charts.git/info/refs?service=git-upload-pack", http.StatusMovedPermanently)
			return true
		}, sent: " Bearer tk"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			server := startGitServer(t)
			server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")})
			server.Before = c.before
			_, err := server.open(t, c.cfg).List(t.Context(), hydrate.Cursor{})
			requests, _ := server.TakeRequests()
			if c.reason != "" {
				g.Expect(err).To(HaveOccurred())
				expectOutcome(g, err, c.reason == v1alpha1.ReasonNotAllowed, c.reason)
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(requests).To(HaveEach(HaveSuffix(c.sent)))
		})
	}
	NewWithT(t).Expect(abroad.Load()).To(BeZero())
}
