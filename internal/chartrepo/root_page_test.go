package chartrepo_test

import (
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func TestRootExplainsUsage(t *testing.T) {
	s := serveStore(t)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		t.Run(method, func(t *testing.T) {
			g := NewWithT(t)
			response, body := s.doRequest(t, method, "/")
			g.Expect(response.StatusCode).To(Equal(http.StatusOK))
			g.Expect(response.Header.Get("Content-Type")).To(HavePrefix("text/plain"))
			g.Expect(response.Header.Get("Cache-Control")).To(Equal("no-store"))
			if method == http.MethodHead {
				g.Expect(body).To(BeEmpty())
				return
			}
			g.Expect(string(body)).To(And(ContainSubstring("helm repo add"), ContainSubstring("/market/main\n"), ContainSubstring("/market/extra\n")))
			g.Expect(string(body)).NotTo(ContainSubstring("tenant"), "private sources are not listed")
		})
	}
}

// TestRootListsRepositories checks that each listed path has an index.
func TestRootListsRepositories(t *testing.T) {
	g := NewWithT(t)
	s := serveStore(t)
	_, body := s.doRequest(t, http.MethodGet, "/")
	count := 0
	for line := range strings.Lines(string(body)) {
		path, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(path, "/") {
			continue
		}
		response, _ := s.doRequest(t, http.MethodGet, strings.TrimSuffix(path, "/")+"/index.yaml")
		g.Expect(response.StatusCode).To(Equal(http.StatusOK), path)
		count++
	}
	g.Expect(count).To(BeNumerically(">=", 3))
}
