package registry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/appmarket/operator/hydrate"
)

// Guarded returns an Inspector that leaves a registry alone for a while once it
// was unreachable or said that it is asked too often: further questions to it
// get the same error at once. After the pause, or later if the registry said so, one question is let through to see
// whether that has changed. Other registries are not affected.
func Guarded(inner hydrate.Inspector, pause time.Duration) hydrate.Inspector {
	return &guarded{inner: inner, pause: pause, gates: map[string]*gate{}}
}

type guarded struct {
	inner hydrate.Inspector
	pause time.Duration

	mu    sync.Mutex
	gates map[string]*gate // those that are shut
}

type gate struct {
	err    error
	until  time.Time
	trying bool
}

func (g *guarded) Inspect(ctx context.Context, reference string) (hydrate.ImageDetail, error) {
	host := registryOf(reference)
	if err := g.enter(host); err != nil {
		return hydrate.ImageDetail{}, err
	}
	detail, err := g.inner.Inspect(ctx, reference)
	g.leave(host, err, ctx.Err() != nil)
	return detail, err
}

func (g *guarded) enter(host string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	shut, ok := g.gates[host]
	if !ok {
		return nil
	}
	if shut.trying || time.Now().Before(shut.until) {
		return shut.err
	}
	shut.trying = true
	return nil
}

func (g *guarded) leave(host string, err error, gaveUp bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case errors.Is(err, ErrUnreachable) || errors.Is(err, ErrRateLimited):
		g.sweep()
		g.gates[host] = &gate{err: err, until: time.Now().Add(g.pauseAfter(err))}
	case !gaveUp:
		delete(g.gates, host)
	case g.gates[host] != nil:
		g.gates[host].trying = false
	}
}

// pauseAfter is how long the registry is left alone: for as long as it asks, if that is
// longer.
func (g *guarded) pauseAfter(err error) time.Duration {
	if said, ok := errors.AsType[*silence](err); ok {
		return max(g.pause, said.after)
	}
	return g.pause
}

// sweep forgets the gates that nobody came to for a long time, so that charts
// which name many registries cannot make this grow.
func (g *guarded) sweep() {
	for host, shut := range g.gates {
		if !shut.trying && time.Since(shut.until) > g.pause {
			delete(g.gates, host)
		}
	}
}
