package netguard

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
)

func TestServersSeeTheUserAgent(t *testing.T) {
	for _, c := range []struct {
		why              string
		of, given, wants string
	}{
		{"of the transport", "market/1", "", "market/1"},
		{"of the transport instead of a library", "market/1", "library/2", "market/1"},
		{"of the library if the transport has none", "", "library/2", "library/2"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			var mu sync.Mutex
			var seen []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen = append(seen, r.UserAgent())
				mu.Unlock()
				if r.URL.Path == "/from" {
					http.Redirect(w, r, "/to", http.StatusFound)
				}
			}))
			defer server.Close()
			transport := NewTransport(TransportOptions{Policy: local, UserAgent: c.of})
			defer transport.CloseIdleConnections()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/from", http.NoBody)
			g.Expect(err).NotTo(HaveOccurred())
			if c.given != "" {
				request.Header.Set("User-Agent", c.given)
			}
			response, err := (&http.Client{Transport: transport}).Do(request)
			g.Expect(err).NotTo(HaveOccurred())
			defer response.Body.Close()
			g.Expect(seen).To(Equal([]string{c.wants, c.wants}), "redirected requests too")
			g.Expect(request.Header.Get("User-Agent")).To(Equal(c.given), "the request is not changed")
		})
	}
}
