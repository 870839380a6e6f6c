package chartrepo

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// DefaultConnections is the number of connections that a Service keeps at once. An idle
// connection takes some 20 KB.
const DefaultConnections = 1000

const (
	// sampled bounds the idle connections among which the one to close is chosen.
	maxIdleSample = 64
	// minIdle is how long a connection has at least to send a request. With the number of
	// connections it bounds how many are accepted in a second while all are idle.
	minIdleTime = 200 * time.Millisecond
	// lookAgain is the time after which Accept looks again for an idle connection.
	acceptRetryInterval = 20 * time.Millisecond
)

// places accepts connections while there are fewer than limit. When all places are taken,
// it closes the connection that has been without a request for longest, so that idle
// clients, however many, do not keep others out. It waits only while every connection has
// a request under way, or is new.
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

// Accept waits for a connection and a place for it.
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

// enter takes a place for a connection, that of an idle one if need be.
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
		_ = idle.Close() // The client sees it anyway.
	}
	return true
}

// longestIdle returns the connection among some that has been idle for longest, nil if none
// has been since a time.
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

// noteState records since when a connection has no request. It takes no lock: it is called
// twice for every request.
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
