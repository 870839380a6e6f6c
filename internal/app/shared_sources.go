package app

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	toolscache "k8s.io/client-go/tools/cache"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/market"
)

// isSharedWithAll returns a function that reports whether a source is shared with all
// namespaces. Such a source is listed in the aggregate index and readable by everyone.
func isSharedWithAll(markets market.Namespaces) func(*v1alpha1.MarketSource) bool {
	return func(from *v1alpha1.MarketSource) bool { return markets.SharingOf(from) == v1alpha1.NamespacesFromAll }
}

// sharedSources watches which sources are shared with all namespaces. The repository reads it
// for each request, so reading takes no lock and never blocks.
type sharedSources struct {
	isShared func(*v1alpha1.MarketSource) bool
	synced   func() bool
	known    atomic.Bool

	// owners is replaced under mu and never modified.
	owners atomic.Pointer[map[hydrate.Owner]bool]
	mu     sync.Mutex
}

// eventSource is the part of an informer that sharedSources uses.
type eventSource interface {
	AddEventHandler(toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error)
}

func newSharedSources(events eventSource, isShared func(*v1alpha1.MarketSource) bool) (*sharedSources, error) {
	s := &sharedSources{isShared: isShared}
	s.owners.Store(&map[hydrate.Owner]bool{})
	registration, err := events.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { s.updateSource(o, false) },
		UpdateFunc: func(_, o any) { s.updateSource(o, false) },
		DeleteFunc: func(o any) { s.updateSource(o, true) },
	})
	if err != nil {
		return nil, fmt.Errorf("watch sources: %w", err)
	}
	s.synced = registration.HasSynced
	return s, nil
}

// hasOwner reports whether a source is shared with all namespaces.
func (s *sharedSources) hasOwner(owner hydrate.Owner) bool { return (*s.owners.Load())[owner] }

// isKnown reports whether all sources of the cluster have been listed.
func (s *sharedSources) isKnown() bool {
	if s.known.Load() {
		return true
	}
	if !s.synced() {
		return false
	}
	s.known.Store(true)
	return true
}

func (s *sharedSources) updateSource(o any, deleted bool) {
	if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	from, ok := o.(*v1alpha1.MarketSource)
	if !ok {
		return
	}
	owner := hydrate.Owner{Namespace: from.Namespace, Source: from.Name}
	shared := !deleted && s.isShared(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasOwner(owner) == shared {
		return
	}
	next := maps.Clone(*s.owners.Load())
	if shared {
		next[owner] = true
	} else {
		delete(next, owner)
	}
	s.owners.Store(&next)
}
