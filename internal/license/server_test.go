package license_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/appmarket/operator/internal/license"
)

// pipeListener is a listener whose connections stay within the process, so that a test can
// run in a synctest bubble with simulated time.
type pipeListener struct {
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (p *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-p.incoming:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipeListener) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipeListener) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipeListener) dialPipe(ctx context.Context, _, address string) (net.Conn, error) {
	switch {
	case strings.HasPrefix(address, "down."):
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	case strings.HasPrefix(address, "unknown."):
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true, Name: address}}
	}
	ours, theirs := net.Pipe()
	select {
	case p.incoming <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serverURL is the URL of the servers in the tests.
const serverURL = "http://localhost"

// inBubble runs a test with a server at serverURL, and at any other host except down and
// unknown.
func inBubble(t *testing.T, handler http.Handler, test func(t *testing.T, opts license.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		listener := &pipeListener{incoming: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: handler}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		transport := &http.Transport{DialContext: listener.dialPipe}
		defer func() {
			transport.CloseIdleConnections()
			server.Close()
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("server ended: %v", err)
			}
		}()
		test(t, license.Options{Transport: transport, AllowPlainHTTP: true})
	})
}

// tlsServer returns a server on the loopback interface with its own certificate.
func tlsServer(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// scriptedServer responds to each request with the next handler, and repeats the last one.
type scriptedServer struct {
	mu       sync.Mutex
	handlers []http.HandlerFunc
	requests []*http.Request
}

func (s *scriptedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	answer := s.handlers[0]
	if len(s.handlers) > 1 {
		s.handlers = s.handlers[1:]
	}
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	answer(w, r)
}

func (s *scriptedServer) requestCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func newScriptedServer(all ...http.HandlerFunc) *scriptedServer {
	return &scriptedServer{handlers: all}
}

// respondOK returns a handler that responds with 200, a text and headers, given as names and
// values.
func respondOK(body string, headers ...string) http.HandlerFunc {
	return respondStatus(http.StatusOK, body, headers...)
}

func respondStatus(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// respondEndlessly sends up to a gigabyte until the client disconnects.
func respondEndlessly(w http.ResponseWriter, _ *http.Request) {
	block := []byte(strings.Repeat("x", 1<<20))
	for range 1 << 10 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// neverRespond reads the request and does not respond.
func neverRespond(_ http.ResponseWriter, r *http.Request) { waitForDisconnect(r) }

// stallResponse sends a part of a response and then stalls.
func stallResponse(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, `{"keys": [`)
	_ = http.NewResponseController(w).Flush()
	waitForDisconnect(r)
}

// waitForDisconnect waits until the client disconnects, which a server notices only after
// reading the request.
func waitForDisconnect(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// abortResponse closes the connection within the response.
func abortResponse(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"keys": [`)
}
