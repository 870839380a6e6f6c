package app

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestCheckWaitsUntilEachURLIsServed(t *testing.T) {
	g := NewWithT(t)
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/later" && asked.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	var out bytes.Buffer
	g.Expect(checkURLs(t.Context(), []string{server.URL + "/now", server.URL + "/later"}, &out)).To(Succeed())
	g.Expect(out.String()).To(Equal(server.URL + "/now is served\n" + server.URL + "/later is served\n"))
	g.Expect(asked.Load()).To(BeEquivalentTo(2))
}

func TestCheckFails(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, c := range map[string]struct {
		urls []string
		want string
	}{
		"without a URL":  {nil, "usage"},
		"another status": {[]string{server.URL}, "404"},
		"no listener":    {[]string{closed.URL}, "refused"},
		"an invalid URL": {[]string{"://"}, "missing protocol scheme"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			NewWithT(t).Expect(checkURLs(ctx, c.urls, &bytes.Buffer{})).To(MatchError(ContainSubstring(c.want)))
		})
	}
}
