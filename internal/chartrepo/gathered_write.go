package chartrepo

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// minGatheredBytes is the size from which a body and its headers do not fit into the buffer
// of net/http, which would write them in two pieces.
const minGatheredBytes = 3 << 10

// gatheringConn is a connection that sends the headers of a response and a body that is in
// memory in one system call, without copying the body. For small archives, system calls are
// most of the work.
type gatheringConn struct {
	*net.TCPConn
	// isBuffering is set while a response is gathered; buffered is the data before its body.
	// Only the goroutine of the request uses them.
	isBuffering bool
	buffered    []byte

	// listener counts the connection until it is closed.
	listener *limitedListener
	// idleSince is the time, in nanoseconds, at which the connection became idle; 0 while it
	// has a request.
	idleSince atomic.Int64
}

type connKey struct{}

// withConnection adds the connection to the context of its requests.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*gatheringConn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// Close closes the connection and makes room for another one.
func (c *gatheringConn) Close() error {
	c.listener.removeConnection(c)
	return c.TCPConn.Close()
}

// Write sends data, or buffers it while a response is gathered.
func (c *gatheringConn) Write(data []byte) (int, error) {
	if c.isBuffering {
		c.buffered = append(c.buffered, data...)
		return len(data), nil
	}
	return c.TCPConn.Write(data)
}

// ReadFrom sends the rest of a body together with the buffered data.
func (c *gatheringConn) ReadFrom(source io.Reader) (int64, error) {
	b, ok := source.(*gatheredBody)
	if !ok {
		return c.TCPConn.ReadFrom(source)
	}
	before := int64(len(c.buffered))
	pieces := net.Buffers{c.buffered, b.rest}
	c.isBuffering, c.buffered, b.rest = false, c.buffered[:0], nil
	n, err := pieces.WriteTo(c.TCPConn)
	return max(n-before, 0), err
}

// flushBuffered sends the buffered data of a response without a body.
func (c *gatheringConn) flushBuffered() error {
	c.isBuffering = false
	if len(c.buffered) == 0 {
		return nil
	}
	_, err := c.TCPConn.Write(c.buffered)
	c.buffered = c.buffered[:0]
	return err
}

// gatheredBody is the body of a response. It has no WriteTo, so that it reaches the
// connection unchanged.
type gatheredBody struct{ rest []byte }

func (b *gatheredBody) Read(into []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(into, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// sendBody writes a whole body.
func sendBody(w http.ResponseWriter, r *http.Request, data []byte) error {
	to, direct := w.(io.ReaderFrom)
	c, ok := r.Context().Value(connKey{}).(*gatheringConn)
	if !direct || !ok || len(data) < minGatheredBytes {
		_, err := w.Write(data)
		return err
	}
	c.isBuffering = true
	if _, err := to.ReadFrom(&gatheredBody{rest: data}); err != nil {
		return err
	}
	return c.flushBuffered()
}
