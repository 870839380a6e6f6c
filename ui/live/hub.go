package live

import (
	"context"
	"sync"
	"time"

	"github.com/appmarket/operator/ui/kube"
)

// maxSessionStreams is the number of streams of one session. The oldest is closed for a new one,
// because browsers open six connections to a host by HTTP/1.1.
const maxSessionStreams = 4

// Hub passes changes to streams. It is safe for concurrent use.
type Hub struct {
	maxStreams int

	mu       sync.Mutex
	streams  map[Topic]map[*stream]struct{}
	sessions map[string][]*stream
	recent   recentChanges
	count    int
	closed   bool
	// open counts the streams that have not ended, including displaced ones.
	open sync.WaitGroup
}

// NewHub returns a Hub with at most this number of streams.
func NewHub(maxStreams int) *Hub {
	return &Hub{
		maxStreams: maxStreams, streams: map[Topic]map[*stream]struct{}{}, sessions: map[string][]*stream{},
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

// addStream adds a stream with the changes that it has missed, and displaces the oldest of the session if it
// has too many. It returns false if the hub has too many streams.
func (h *Hub) addStream(s *stream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.count >= h.maxStreams {
		return false
	}
	if own := h.sessions[s.session]; len(own) >= maxSessionStreams {
		own[0].endWith(reasonDisplaced)
		h.dropStream(own[0])
	}
	h.count++
	h.open.Add(1)
	h.sessions[s.session] = append(h.sessions[s.session], s)
	for topic := range s.topics {
		if h.streams[topic] == nil {
			h.streams[topic] = map[*stream]struct{}{}
		}
		h.streams[topic][s] = struct{}{}
	}
	h.recent.markMissed(s, time.Now())
	return true
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
	own := h.sessions[s.session]
	for i, each := range own {
		if each != s {
			continue
		}
		h.count--
		kept := append(append([]*stream{}, own[:i]...), own[i+1:]...)
		if h.sessions[s.session] = kept; len(kept) == 0 {
			delete(h.sessions, s.session)
		}
	}
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
