package registry

import (
	"context"
	"fmt"
	"sync"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/images"
)

// Limited returns an Inspector that asks each registry at most perHost questions
// at a time; more of them wait for their turn, or for the end of their context.
// A perHost below one counts as one.
func Limited(inner hydrate.Inspector, perHost int) hydrate.Inspector {
	return &hostLimiter{inner: inner, perHost: max(perHost, 1), semaphores: map[string]*hostSemaphore{}}
}

type hostLimiter struct {
	inner   hydrate.Inspector
	perHost int

	mu         sync.Mutex
	semaphores map[string]*hostSemaphore // those in use
}

type hostSemaphore struct {
	slots chan struct{}
	users int
}

func (l *hostLimiter) Inspect(ctx context.Context, reference string) (images.Detail, error) {
	host := registryOf(reference)
	lane := l.acquireSemaphore(host)
	defer l.releaseSemaphore(host, lane)
	select {
	case lane.slots <- struct{}{}:
		defer func() { <-lane.slots }()
	case <-ctx.Done():
		return images.Detail{}, fmt.Errorf("wait for registry %s: %w", displayHost(host), ctx.Err())
	}
	return l.inner.Inspect(ctx, reference)
}

func (l *hostLimiter) acquireSemaphore(host string) *hostSemaphore {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, ok := l.semaphores[host]
	if !ok {
		found = &hostSemaphore{slots: make(chan struct{}, l.perHost)}
		l.semaphores[host] = found
	}
	found.users++
	return found
}

func (l *hostLimiter) releaseSemaphore(host string, from *hostSemaphore) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from.users--
	if from.users == 0 {
		delete(l.semaphores, host)
	}
}
