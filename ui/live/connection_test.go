package live

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// TestStreamsOfBothProtocols opens a stream over HTTP/1.1, whose connection is taken from the server, and one over
// HTTP/2, where that is not possible. Both end with their page, and when the hub is closed.
func TestStreamsOfBothProtocols(t *testing.T) {
	for _, c := range []struct {
		why      string
		http2    bool
		handlers int64
	}{
		{"the handler of HTTP/1.1 returns while the stream is open", false, 0},
		{"the handler of HTTP/2 serves the stream", true, 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			h := NewHub(10)
			var handlers atomic.Int64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				handlers.Add(1)
				defer handlers.Add(-1)
				h.Serve(w, r, Request{Session: "a", Topics: []Topic{list}, Allowed: allowAll})
			}))
			server.EnableHTTP2 = c.http2
			server.StartTLS()
			t.Cleanup(server.Close)

			_, closePage := openPage(t, server, c.http2)
			g.Eventually(handlers.Load, "3s").Should(Equal(c.handlers))
			closePage()
			g.Eventually(h.countStreams, "3s").Should(BeZero(), "the stream ends with its page")

			lines, closePage := openPage(t, server, c.http2)
			defer closePage()
			h.Notify(change)
			g.Eventually(lines, "3s").Should(Receive(Equal("event: " + list.Signal())))
			h.Close()
			h.WaitForStreams(t.Context())
			g.Expect(h.countStreams()).To(BeZero())
			g.Eventually(lines, "3s").Should(Receive(Equal("event: shutdown")))
			g.Eventually(lines, "3s").Should(BeClosed())
			g.Expect(handlers.Load()).To(BeZero())
		})
	}
}

func (h *Hub) countStreams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// openPage opens a stream with its own connection, and returns its lines and a function that closes it.
func openPage(t *testing.T, server *httptest.Server, http2 bool) (<-chan string, context.CancelFunc) {
	t.Helper()
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"?"+url.Values{"t": {list.String()}}.Encode(), nil)
	g.Expect(err).NotTo(HaveOccurred())
	response, err := server.Client().Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(response.StatusCode).To(Equal(http.StatusOK))
	g.Expect(response.ProtoMajor).To(Equal(map[bool]int{false: 1, true: 2}[http2]))
	g.Expect(response.Header.Get("Content-Type")).To(Equal("text/event-stream"))
	g.Expect(response.TransferEncoding).To(BeEmpty())
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		defer response.Body.Close()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	g.Eventually(lines, "3s").Should(Receive(Equal(": open")))
	return lines, cancel
}

func TestStreamEndsWithItsCredential(t *testing.T) {
	g := NewWithT(t)
	now := time.Now()
	g.Expect((&stream{}).age(now)).To(BeNumerically(">=", streamAge))
	g.Expect((&stream{until: now.Add(time.Minute)}).age(now)).To(Equal(time.Minute))
	g.Expect((&stream{until: now.Add(time.Hour)}).age(now)).To(BeNumerically("<", streamAge+streamSpread))
}
