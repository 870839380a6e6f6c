package chartrepo

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// gathered is the length from which a body does not fit, with its headers, into
// the buffer of net/http, which would write it in two pieces.
const minGatheredBytes = 3 << 10

// wire is a connection that can send the headers of an answer and a body that is
// in memory in one system call, without copying the body. For small archives
// system calls are most of the work.
type gatheringConn struct {
	*net.TCPConn
	// holding is set while an answer is gathered; held is what came before its
	// body. Only the goroutine of the request touches them.
	isBuffering bool
	buffered    []byte

	// places has a place for the connection until it is closed.
	listener *limitedListener
	// idleSince is the time, in nanoseconds, from which the connection has no request; 0
	// while it has one.
	idleSince atomic.Int64
}

type connKey struct{}

// withWire lets requests find their connection.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*gatheringConn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// Close closes the connection and gives its place to another.
func (c *gatheringConn) Close() error {
	c.listener.removeConnection(c)
	return c.TCPConn.Close()
}

// Write sends, or holds back while an answer is gathered.
func (c *gatheringConn) Write(data []byte) (int, error) {
	if c.isBuffering {
		c.buffered = append(c.buffered, data...)
		return len(data), nil
	}
	return c.TCPConn.Write(data)
}

// ReadFrom sends what a body has left together with what was held back.
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

// release sends what is still held back, for an answer that had no body after
// all.
func (c *gatheringConn) flushBuffered() error {
	c.isBuffering = false
	if len(c.buffered) == 0 {
		return nil
	}
	_, err := c.TCPConn.Write(c.buffered)
	c.buffered = c.buffered[:0]
	return err
}

// body is the body of an answer. It has no WriteTo, so that it arrives at the
// connection as it is.
type gatheredBody struct{ rest []byte }

func (b *gatheredBody) Read(into []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(into, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// send writes a whole body.
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
