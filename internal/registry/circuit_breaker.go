package registry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/images"
)

// Guarded returns an Inspector that leaves a registry alone for a while once it
// was unreachable or said that it is asked too often: further questions to it
// get the same error at once. After the pause, or later if the registry said so, one question is let through to see
// whether that has changed. Other registries are not affected.
func Guarded(inner hydrate.Inspector, pause time.Duration) hydrate.Inspector {
	return &circuitBreaker{inner: inner, pause: pause, breakers: map[string]*breaker{}}
}

type circuitBreaker struct {
	inner hydrate.Inspector
	pause time.Duration

	mu       sync.Mutex
	breakers map[string]*breaker // those that are shut
}

type breaker struct {
	err    error
	until  time.Time
	trying bool
}

func (g *circuitBreaker) Inspect(ctx context.Context, reference string) (images.Detail, error) {
	host := registryOf(reference)
	if err := g.allowRequest(host); err != nil {
		return images.Detail{}, err
	}
	detail, err := g.inner.Inspect(ctx, reference)
	g.recordResult(host, err, ctx.Err() != nil)
	return detail, err
}

func (g *circuitBreaker) allowRequest(host string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	shut, ok := g.breakers[host]
	if !ok {
		return nil
	}
	if shut.trying || time.Now().Before(shut.until) {
		return shut.err
	}
	shut.trying = true
	return nil
}

func (g *circuitBreaker) recordResult(host string, err error, gaveUp bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case errors.Is(err, ErrUnreachable) || errors.Is(err, ErrRateLimited):
		g.removeStaleBreakers()
		g.breakers[host] = &breaker{err: err, until: time.Now().Add(g.pauseAfter(err))}
	case !gaveUp:
		delete(g.breakers, host)
	case g.breakers[host] != nil:
		g.breakers[host].trying = false
	}
}

// pauseAfter is how long the registry is left alone: for as long as it asks, if that is
// longer.
func (g *circuitBreaker) pauseAfter(err error) time.Duration {
	if said, ok := errors.AsType[*unavailableError](err); ok {
		return max(g.pause, said.retryAfter)
	}
	return g.pause
}

// sweep forgets the gates that nobody came to for a long time, so that charts
// which name many registries cannot make this grow.
func (g *circuitBreaker) removeStaleBreakers() {
	for host, shut := range g.breakers {
		if !shut.trying && time.Since(shut.until) > g.pause {
			delete(g.breakers, host)
		}
	}
}
