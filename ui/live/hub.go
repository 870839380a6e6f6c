package live

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/appmarket/operator/ui/kube"
)

// maxSessionStreams is the number of streams of one session. The oldest is closed for a new one,
// because browsers open six connections to a host by HTTP/1.1.
const maxSessionStreams = 4

// maxUserStreams is the number of streams of all sessions of one user. The oldest is closed for a new one: a user can
// open any number of sessions.
const maxUserStreams = 40

// Hub passes changes to streams. It is safe for concurrent use.
type Hub struct {
	maxStreams int

	mu       sync.Mutex
	streams  map[Topic]map[*stream]struct{}
	sessions streamsByOwner
	users    streamsByOwner
	recent   recentChanges
	count    int
	closed   bool
	// open counts the streams that have not ended, including displaced ones.
	open sync.WaitGroup
}

// NewHub returns a Hub with at most this number of streams.
func NewHub(maxStreams int) *Hub {
	return &Hub{
		maxStreams: maxStreams, streams: map[Topic]map[*stream]struct{}{}, sessions: streamsByOwner{}, users: streamsByOwner{},
		recent: recentChanges{completeSince: time.Now()},
	}
}

// Notify marks the topics of a change for all streams that follow them. It does not block.
func (h *Hub) Notify(change kube.Change) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recent.add(change, now)
	for _, topic := range topicsOf(change) {
		for s := range h.streams[topic] {
			s.markTopic(topic, now)
		}
	}
}

// Close tells all streams to end, and refuses new ones.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, all := range h.sessions {
		for _, s := range all {
			s.endWith(reasonShutdown)
		}
	}
}

// WaitForStreams waits until all streams have ended, or the context is done. The hub must be closed.
func (h *Hub) WaitForStreams(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		h.open.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// addStream adds a stream with the changes that it has missed, and displaces the oldest of the session or the user if
// it has too many. It returns false if the hub has too many streams.
func (h *Hub) addStream(s *stream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.count >= h.maxStreams {
		return false
	}
	h.displaceOldest(h.sessions[s.session], maxSessionStreams)
	h.displaceOldest(h.users[s.user], maxUserStreams)
	h.count++
	h.open.Add(1)
	h.sessions[s.session] = append(h.sessions[s.session], s)
	h.users[s.user] = append(h.users[s.user], s)
	for topic := range s.topics {
		if h.streams[topic] == nil {
			h.streams[topic] = map[*stream]struct{}{}
		}
		h.streams[topic][s] = struct{}{}
	}
	h.recent.markMissed(s, time.Now())
	return true
}

// displaceOldest ends the oldest of the streams of an owner if there are too many for a new one.
func (h *Hub) displaceOldest(own []*stream, limit int) {
	if len(own) >= limit {
		oldest := own[0]
		oldest.endWith(reasonDisplaced)
		h.dropStream(oldest)
	}
}

// removeStream removes a stream that has ended.
func (h *Hub) removeStream(s *stream) {
	defer h.open.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropStream(s)
}

// dropStream removes a stream, once.
func (h *Hub) dropStream(s *stream) {
	if h.sessions.deleteStream(s.session, s) {
		h.count--
	}
	h.users.deleteStream(s.user, s)
	for topic := range s.topics {
		delete(h.streams[topic], s)
		if len(h.streams[topic]) == 0 {
			delete(h.streams, topic)
		}
	}
}

// dropTopic stops a stream from following a topic.
func (h *Hub) dropTopic(s *stream, topic Topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams[topic], s)
}

// streamsByOwner are open streams by the session or the user, the oldest first.
type streamsByOwner map[string][]*stream

// deleteStream removes a stream, and reports whether it was there.
func (o streamsByOwner) deleteStream(owner string, s *stream) bool {
	i := slices.Index(o[owner], s)
	if i < 0 {
		return false
	}
	if o[owner] = slices.Delete(o[owner], i, i+1); len(o[owner]) == 0 {
		delete(o, owner)
	}
	return true
}
