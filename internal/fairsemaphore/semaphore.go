// Package fairsemaphore limits the number of callers at the same time, and shares the slots fairly
// among namespaces. It is for work that does not wait for servers. Package fairlimiter is for
// reconciles, which do not wait for their slots.
package fairsemaphore

import (
	"context"
	"slices"
	"sync"
)

// Semaphore grants slots. A free slot is granted to the waiting namespace with the fewest slots. If
// several have the same number, it is granted to the one that received its last slot the longest
// time ago. Within a namespace, slots are granted in order of arrival. It is safe for concurrent use.
type Semaphore struct {
	mu   sync.Mutex
	free int
	// held is the number of slots per namespace, waiting the queue of each namespace, and
	// turn the sequence number of the last slot that a namespace received.
	held    map[string]int
	waiting map[string][]chan struct{}
	turn    map[string]int
	turns   int
}

// New returns a Semaphore with a number of slots.
func New(count int) *Semaphore {
	return &Semaphore{free: count, held: map[string]int{}, waiting: map[string][]chan struct{}{}, turn: map[string]int{}}
}

// Acquire waits for a slot for a namespace, or until the context ends. The caller must return the slot with Release.
func (s *Semaphore) Acquire(ctx context.Context, namespace string) error {
	s.mu.Lock()
	if s.free > 0 && len(s.waiting) == 0 {
		s.grantSlot(namespace)
		s.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	s.waiting[namespace] = append(s.waiting[namespace], turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-turn: // The slot was granted at the same time.
		s.freeSlot(namespace)
	default:
		s.removeWaiter(namespace, turn)
	}
	return ctx.Err()
}

// Release returns a slot and grants it to the next in the queue.
func (s *Semaphore) Release(namespace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freeSlot(namespace)
}

func (s *Semaphore) freeSlot(namespace string) {
	s.free++
	if s.held[namespace]--; s.held[namespace] == 0 {
		delete(s.held, namespace)
	}
	for s.free > 0 && len(s.waiting) > 0 {
		next := s.nextNamespace()
		first := s.waiting[next][0]
		s.removeWaiter(next, first)
		s.grantSlot(next)
		close(first)
	}
	if len(s.waiting) == 0 && len(s.held) == 0 {
		clear(s.turn)
	}
}

func (s *Semaphore) grantSlot(namespace string) {
	s.free--
	s.held[namespace]++
	s.turns++
	s.turn[namespace] = s.turns
}

// nextNamespace returns the namespace that receives the next slot.
func (s *Semaphore) nextNamespace() string {
	best, found := "", false
	for namespace := range s.waiting {
		if !found || s.held[namespace] < s.held[best] ||
			s.held[namespace] == s.held[best] && s.turn[namespace] < s.turn[best] {
			best, found = namespace, true
		}
	}
	return best
}

// removeWaiter removes an entry from the queue of a namespace.
func (s *Semaphore) removeWaiter(namespace string, one chan struct{}) {
	queue := slices.DeleteFunc(s.waiting[namespace], func(other chan struct{}) bool { return other == one })
	if s.waiting[namespace] = queue; len(queue) == 0 {
		delete(s.waiting, namespace)
	}
}
