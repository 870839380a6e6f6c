package chartrepo

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// DefaultConnections is the default limit of connections of a Service. An idle connection
// uses about 20 KB.
const DefaultConnections = 1000

const (
	// maxIdleSample is the number of idle connections among which the one to close is
	// selected.
	maxIdleSample = 64
	// minIdleTime is the time that a connection has at least to send a request. Together with
	// the limit of connections, it bounds the connections accepted per second while all are
	// idle.
	minIdleTime = 200 * time.Millisecond
	// acceptRetryInterval is the interval at which Accept looks for an idle connection.
	acceptRetryInterval = 20 * time.Millisecond
)

// limitedListener accepts connections up to a limit. When the limit is reached, it closes the
// connection that has been idle the longest, so that idle clients cannot keep others out. It
// blocks only while every connection is new or has a request in progress.
type limitedListener struct {
	net.Listener
	limit int

	mu          sync.Mutex
	connections map[*gatheringConn]struct{}
	freed       chan struct{}
	closed      chan struct{}
	closeOnce   sync.Once
}

func newLimitedListener(listener net.Listener, limit int) *limitedListener {
	if limit <= 0 {
		limit = DefaultConnections
	}
	return &limitedListener{
		Listener: listener, limit: limit, connections: map[*gatheringConn]struct{}{},
		freed: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// Accept waits for a connection and until the limit allows it.
func (p *limitedListener) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn, nil
	}
	c := &gatheringConn{TCPConn: tcp, listener: p}
	for !p.addConnection(c) {
		select {
		case <-p.freed:
		case <-time.After(acceptRetryInterval):
		case <-p.closed:
			return nil, errors.Join(net.ErrClosed, tcp.Close())
		}
	}
	return c, nil
}

// Close stops accepting.
func (p *limitedListener) Close() error {
	p.closeOnce.Do(func() { close(p.closed) })
	return p.Listener.Close()
}

// addConnection adds a connection, and closes an idle one if the limit is reached. It returns
// false if there is none.
func (p *limitedListener) addConnection(c *gatheringConn) bool {
	now := time.Now()
	p.mu.Lock()
	var idle *gatheringConn
	if len(p.connections) >= p.limit {
		if idle = p.longestIdle(now.Add(-minIdleTime).UnixNano()); idle == nil {
			p.mu.Unlock()
			return false
		}
		delete(p.connections, idle)
	}
	c.idleSince.Store(now.UnixNano())
	p.connections[c] = struct{}{}
	p.mu.Unlock()
	if idle != nil {
		_ = idle.Close() // The client notices it in any case.
	}
	return true
}

// longestIdle returns the connection of a sample that has been idle the longest, or nil if
// none has been idle since the given time.
func (p *limitedListener) longestIdle(since int64) *gatheringConn {
	var found *gatheringConn
	seen := 0
	for c := range p.connections {
		idle := c.idleSince.Load()
		if idle == 0 {
			continue
		}
		if idle < since {
			found, since = c, idle
		}
		if seen++; seen == maxIdleSample {
			break
		}
	}
	return found
}

func (p *limitedListener) removeConnection(c *gatheringConn) {
	p.mu.Lock()
	delete(p.connections, c)
	p.mu.Unlock()
	select {
	case p.freed <- struct{}{}:
	default:
	}
}

// recordConnectionState records when a connection became idle. It takes no lock, because it
// is called twice for each request.
func recordConnectionState(conn net.Conn, state http.ConnState) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	c, ok := conn.(*gatheringConn)
	if !ok {
		return
	}
	switch state {
	case http.StateActive:
		c.idleSince.Store(0)
	case http.StateIdle:
		c.idleSince.Store(time.Now().UnixNano())
	}
}
