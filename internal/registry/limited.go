package registry

import (
	"context"
	"fmt"
	"sync"

	"github.com/appmarket/operator/hydrate"
)

// Limited returns an Inspector that asks each registry at most perHost questions
// at a time; more of them wait for their turn, or for the end of their context.
// A perHost below one counts as one.
func Limited(inner hydrate.Inspector, perHost int) hydrate.Inspector {
	return &limited{inner: inner, perHost: max(perHost, 1), lanes: map[string]*lane{}}
}

type limited struct {
	inner   hydrate.Inspector
	perHost int

	mu    sync.Mutex
	lanes map[string]*lane // those in use
}

type lane struct {
	slots chan struct{}
	users int
}

func (l *limited) Inspect(ctx context.Context, reference string) (hydrate.ImageDetail, error) {
	host := registryOf(reference)
	lane := l.join(host)
	defer l.part(host, lane)
	select {
	case lane.slots <- struct{}{}:
		defer func() { <-lane.slots }()
	case <-ctx.Done():
		return hydrate.ImageDetail{}, fmt.Errorf("wait for registry %s: %w", shown(host), ctx.Err())
	}
	return l.inner.Inspect(ctx, reference)
}

func (l *limited) join(host string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, ok := l.lanes[host]
	if !ok {
		found = &lane{slots: make(chan struct{}, l.perHost)}
		l.lanes[host] = found
	}
	found.users++
	return found
}

func (l *limited) part(host string, from *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from.users--
	if from.users == 0 {
		delete(l.lanes, host)
	}
}
