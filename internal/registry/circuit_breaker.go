package registry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/outcome"
)

// Guarded returns an Inspector that stops accessing a registry after a failed connection or
// an exceeded rate limit: further inspections return the same error immediately. After the
// pause, or the longer time that the registry requested, one inspection is allowed to find
// out whether this has changed. Other registries are not affected.
func Guarded(inner hydrate.Inspector, pause time.Duration) hydrate.Inspector {
	return &circuitBreaker{inner: inner, pause: pause, breakers: map[string]*breaker{}}
}

type circuitBreaker struct {
	inner hydrate.Inspector
	pause time.Duration

	mu       sync.Mutex
	breakers map[string]*breaker // Open breakers by registry.
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
	var detail images.Detail
	// A panic counts as an error, so that a registry whose response causes it is accessed again.
	err := outcome.Guarded(func() (err error) {
		detail, err = g.inner.Inspect(ctx, reference)
		return err
	})()
	g.recordResult(host, err, ctx.Err() != nil)
	return detail, err
}

func (g *circuitBreaker) allowRequest(host string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	open, ok := g.breakers[host]
	if !ok {
		return nil
	}
	if open.trying || time.Now().Before(open.until) {
		return open.err
	}
	open.trying = true
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

// pauseAfter returns the pause after an error: the time that the registry requested, if that
// is longer.
func (g *circuitBreaker) pauseAfter(err error) time.Duration {
	if unavailable, ok := errors.AsType[*unavailableError](err); ok {
		return max(g.pause, unavailable.retryAfter)
	}
	return g.pause
}

// removeStaleBreakers removes unused breakers, so that charts with images of many registries
// cannot make the map grow.
func (g *circuitBreaker) removeStaleBreakers() {
	for host, open := range g.breakers {
		if !open.trying && time.Since(open.until) > g.pause {
			delete(g.breakers, host)
		}
	}
}
