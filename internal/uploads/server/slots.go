package server

import (
	"slices"
	"sync"
)

// slots limits the uploads at the same time, in total and for each namespace. If there are too many in
// total, an upload of a namespace with few ends the oldest one of the namespace with the most that is
// still being received, so that slow uploads of several namespaces keep out no others. An upload that was
// ended can be resumed.
type slots struct {
	limit, namespaceLimit int

	mu sync.Mutex
	// held contains the slots, the oldest first.
	held []*slot
}

type slot struct {
	namespace string
	content   *body
}

func newSlots(limit, namespaceLimit int) *slots {
	return &slots{limit: limit, namespaceLimit: namespaceLimit}
}

// tryAcquire returns a slot for the upload of content, nil if there are too many uploads.
func (s *slots) tryAcquire(namespace string, content *body) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for _, one := range s.held {
		counts[one.namespace]++
	}
	if counts[namespace] >= s.namespaceLimit || len(s.held) >= s.limit && !s.endOldest(counts, counts[namespace]) {
		return nil
	}
	own := &slot{namespace: namespace, content: content}
	s.held = append(s.held, own)
	return own
}

// endOldest ends an upload for a namespace that has a number of uploads, and reports whether there was one.
func (s *slots) endOldest(counts map[string]int, own int) bool {
	var oldest *slot
	for _, one := range s.held {
		if one.content.isReceiving() && (oldest == nil || counts[one.namespace] > counts[oldest.namespace]) {
			oldest = one
		}
	}
	if oldest == nil || own > 0 && counts[oldest.namespace] <= own+1 {
		return false
	}
	s.removeSlot(oldest)
	oldest.content.abortReading()
	return true
}

// releaseSlot returns a slot. It does nothing if the upload was ended.
func (s *slots) releaseSlot(one *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeSlot(one)
}

func (s *slots) removeSlot(one *slot) {
	s.held = slices.DeleteFunc(s.held, func(other *slot) bool { return other == one })
}
