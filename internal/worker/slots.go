package worker

import (
	"context"
	"sync"
)

// slots limits the number of concurrent orders and shares them fairly among namespaces. A
// free place is given to the waiting namespace with the fewest places. If several have the
// same number, it is given to the one that received its last place the longest time ago.
// Within a namespace, places are given in order of arrival.
type slots struct {
	mu   sync.Mutex
	free int
	// held is the number of places per namespace, waiting the queue of each namespace, and
	// turn the sequence number of the last place that a namespace received.
	held    map[string]int
	waiting map[string][]chan struct{}
	turn    map[string]int
	turns   int
}

func newSlots(count int) *slots {
	return &slots{free: count, held: map[string]int{}, waiting: map[string][]chan struct{}{}, turn: map[string]int{}}
}

// acquireSlot waits for a place for a namespace. The caller must return it with releaseSlot.
func (p *slots) acquireSlot(ctx context.Context, namespace string) error {
	p.mu.Lock()
	if p.free > 0 && len(p.waiting) == 0 {
		p.grantSlot(namespace)
		p.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	p.waiting[namespace] = append(p.waiting[namespace], turn)
	p.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-turn: // The place was given at the same time.
		p.freeSlot(namespace)
	default:
		p.removeWaiter(namespace, turn)
	}
	return ctx.Err()
}

// releaseSlot returns a place and gives it to the next in the queue.
func (p *slots) releaseSlot(namespace string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.freeSlot(namespace)
}

func (p *slots) freeSlot(namespace string) {
	p.free++
	if p.held[namespace]--; p.held[namespace] == 0 {
		delete(p.held, namespace)
	}
	for p.free > 0 && len(p.waiting) > 0 {
		next := p.nextNamespace()
		first := p.waiting[next][0]
		p.removeWaiter(next, first)
		p.grantSlot(next)
		close(first)
	}
	if len(p.waiting) == 0 && len(p.held) == 0 {
		clear(p.turn)
	}
}

func (p *slots) grantSlot(namespace string) {
	p.free--
	p.held[namespace]++
	p.turns++
	p.turn[namespace] = p.turns
}

// nextNamespace returns the namespace that receives the next place.
func (p *slots) nextNamespace() string {
	best, found := "", false
	for namespace := range p.waiting {
		if !found || p.held[namespace] < p.held[best] ||
			p.held[namespace] == p.held[best] && p.turn[namespace] < p.turn[best] {
			best, found = namespace, true
		}
	}
	return best
}

// removeWaiter removes an entry from the queue of a namespace.
func (p *slots) removeWaiter(namespace string, one chan struct{}) {
	line := p.waiting[namespace]
	for i := range line {
		if line[i] == one {
			line = append(line[:i], line[i+1:]...)
			break
		}
	}
	if p.waiting[namespace] = line; len(line) == 0 {
		delete(p.waiting, namespace)
	}
}
