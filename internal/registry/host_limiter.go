package registry

import (
	"context"
	"fmt"
	"sync"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/images"
)

// Limited returns an Inspector that runs at most perHost concurrent inspections per registry.
// Further ones wait for a slot, or until their context is done. perHost is at least one.
func Limited(inner hydrate.Inspector, perHost int) hydrate.Inspector {
	return &hostLimiter{inner: inner, perHost: max(perHost, 1), semaphores: map[string]*hostSemaphore{}}
}

type hostLimiter struct {
	inner   hydrate.Inspector
	perHost int

	mu         sync.Mutex
	semaphores map[string]*hostSemaphore // Semaphores in use.
}

type hostSemaphore struct {
	slots chan struct{}
	users int
}

func (l *hostLimiter) Inspect(ctx context.Context, reference string) (images.Detail, error) {
	host := registryOf(reference)
	semaphore := l.acquireSemaphore(host)
	defer l.releaseSemaphore(host, semaphore)
	select {
	case semaphore.slots <- struct{}{}:
		defer func() { <-semaphore.slots }()
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
