package worker

import (
	"context"
	"sync"
)

// places are those of the workers, shared fairly among namespaces. Of those that wait,
// the namespace that holds the fewest comes first; of several such, the one that has
// waited for longest since it last had a place. Within a namespace it is first come,
// first served.
type places struct {
	mu   sync.Mutex
	free int
	// held counts the places of a namespace, waiting are its line, and turn is when it
	// was last given a place.
	held    map[string]int
	waiting map[string][]chan struct{}
	turn    map[string]int
	turns   int
}

func newPlaces(count int) *places {
	return &places{free: count, held: map[string]int{}, waiting: map[string][]chan struct{}{}, turn: map[string]int{}}
}

// take waits for a place for a namespace, which giveBack must end.
func (p *places) take(ctx context.Context, namespace string) error {
	p.mu.Lock()
	if p.free > 0 && len(p.waiting) == 0 {
		p.give(namespace)
		p.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	p.waiting[namespace] = append(p.waiting[namespace], mine)
	p.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-mine: // It was given in this moment.
		p.release(namespace)
	default:
		p.leave(namespace, mine)
	}
	return ctx.Err()
}

// giveBack gives a place to the next in line.
func (p *places) giveBack(namespace string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release(namespace)
}

func (p *places) release(namespace string) {
	p.free++
	if p.held[namespace]--; p.held[namespace] == 0 {
		delete(p.held, namespace)
	}
	for p.free > 0 && len(p.waiting) > 0 {
		next := p.next()
		first := p.waiting[next][0]
		p.leave(next, first)
		p.give(next)
		close(first)
	}
	if len(p.waiting) == 0 && len(p.held) == 0 {
		clear(p.turn)
	}
}

func (p *places) give(namespace string) {
	p.free--
	p.held[namespace]++
	p.turns++
	p.turn[namespace] = p.turns
}

// next is the namespace that comes first.
func (p *places) next() string {
	best, found := "", false
	for namespace := range p.waiting {
		if !found || p.held[namespace] < p.held[best] ||
			p.held[namespace] == p.held[best] && p.turn[namespace] < p.turn[best] {
			best, found = namespace, true
		}
	}
	return best
}

// leave takes one out of the line of a namespace.
func (p *places) leave(namespace string, one chan struct{}) {
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
