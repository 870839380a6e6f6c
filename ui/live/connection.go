package live

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/appmarket/operator/internal/outcome"
)

// writeTimeout bounds the time that a page takes to read.
const writeTimeout = 10 * time.Second

// connection is where the events of a stream are written.
type connection interface {
	io.Writer
	SetWriteDeadline(time.Time) error
}

// writeEvents writes events within a time limit.
func writeEvents(c connection, text string) error {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := io.WriteString(c, text)
	return err
}

// response is a connection that the HTTP server manages. It sends each write at once.
type response struct {
	http.ResponseWriter
	*http.ResponseController
}

func newResponse(w http.ResponseWriter) response {
	return response{ResponseWriter: w, ResponseController: http.NewResponseController(w)}
}

func (r response) Write(text []byte) (int, error) {
	n, err := r.ResponseWriter.Write(text)
	if err != nil {
		return n, err
	}
	return n, r.Flush()
}

// open writes the beginning of a response with events.
func (r response) open(version int) error {
	header := r.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	if version == 1 {
		// Without chunks, the events can be written to the connection itself.
		header.Set("Transfer-Encoding", "identity")
	}
	r.WriteHeader(http.StatusOK)
	return writeEvents(r, ": open\n\n")
}

// serveStream sends the signals of a stream after its response has begun, and removes the stream at the end.
//
// For HTTP/1.1, it takes the connection from the server and returns at once. The server would keep the request, three
// buffers with 10 KiB and the stack of the handler with 16 KiB for each stream.
func (h *Hub) serveStream(ctx context.Context, r response, s *stream) {
	conn, _, err := r.Hijack() // A page sends nothing after its request, so the buffered input is empty.
	if errors.Is(err, http.ErrNotSupported) {
		defer h.removeStream(s)
		s.logPanic(h.sendSignals(ctx, r, s))
		return
	}
	if err != nil {
		h.removeStream(s)
		return
	}
	go func() {
		defer h.removeStream(s)
		defer func() { _ = conn.Close() }() // Nothing is written any more.
		s.logPanic(outcome.Guarded(func() error { return h.sendUntilClosed(conn, s) })())
	}()
}

// logPanic logs the error with which a stream ended if it is a panic. Any other error means that the page has ended
// or that the user lost the rights.
func (s *stream) logPanic(err error) {
	if panicked, ok := errors.AsType[*outcome.Panic](err); ok {
		s.log.Error(err, "A stream panicked", "stack", string(panicked.Stack))
	}
}

// sendUntilClosed sends the signals of a stream until the page closes the connection.
func (h *Hub) sendUntilClosed(conn net.Conn, s *stream) error {
	ctx, cancel := context.WithCancel(context.Background()) // The context of the request ends with its handler.
	defer cancel()
	go func() {
		defer cancel()
		_, _ = conn.Read(make([]byte, 1)) // It returns when the page or sendSignals has ended.
	}()
	return h.sendSignals(ctx, conn, s)
}
