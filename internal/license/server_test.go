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

// pipes is a listener whose connections stay within the process, so that a test
// may run in a bubble, where minutes and days are over at once.
type pipes struct {
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.incoming:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) dial(ctx context.Context, _, address string) (net.Conn, error) {
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

// site is where the servers of the tests are.
const site = "http://localhost"

// inBubble runs a test with a server at site, and at any other host but down and
// unknown.
func inBubble(t *testing.T, handler http.Handler, test func(t *testing.T, opts license.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		listener := &pipes{incoming: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: handler}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		transport := &http.Transport{DialContext: listener.dial}
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

// tlsServer is a server at a real address, with a certificate of its own.
func tlsServer(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// script answers each question with what is next, and counts. The last answer is
// given for ever.
type script struct {
	mu      sync.Mutex
	answers []http.HandlerFunc
	asked   []*http.Request
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.asked = append(s.asked, r)
	s.mu.Unlock()
	answer(w, r)
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func answers(all ...http.HandlerFunc) *script { return &script{answers: all} }

// text answers 200 with a text and headers, which are names and values in turn.
func text(body string, headers ...string) http.HandlerFunc {
	return status(http.StatusOK, body, headers...)
}

func status(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// endless sends until nobody listens any more, a gigabyte at most.
func endless(w http.ResponseWriter, _ *http.Request) {
	block := []byte(strings.Repeat("x", 1<<20))
	for range 1 << 10 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// silent takes the question and says nothing.
func silent(_ http.ResponseWriter, r *http.Request) { hold(r) }

// stuck begins an answer and does not go on.
func stuck(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, `{"keys": [`)
	_ = http.NewResponseController(w).Flush()
	hold(r)
}

// hold waits for the client to go; a server notices only once it read the request.
func hold(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// broken ends the connection within the answer.
func broken(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"keys": [`)
}
