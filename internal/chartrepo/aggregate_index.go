package chartrepo

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/appmarket/operator/hydrate"
)

// sharingAge is how long the answers about sharing are believed. They come from
// a cache of objects and need not be asked for on every request.
const sharingAge = time.Second

// joined is the repository of all shared sources.
//
// An app of the first market has its own name there, and any other the name
// <namespace>_<source>_<app>, whose underscores no name of an object has. So the name of
// an entry does not depend on what other markets publish: none of them can take it, nor
// does it go to another while one publishes nothing yet. Where two sources of the first
// market offer the same app, the first of them by name gives it its own name.
type aggregateIndex struct {
	index    *memoryIndex
	isShared func(hydrate.Owner) bool
	// markets are namespaces in order of precedence; others come after them, by name.
	markets []string

	snapshot   atomic.Pointer[aggregateSnapshot]
	refreshing sync.Mutex
}

// view is what is shared at one moment.
type aggregateSnapshot struct {
	generation uint64
	takenAt    time.Time
	// owners come in the order of their markets, those of one market by name.
	owners []hydrate.Owner
	// index has the archives at the paths of their sources, flat beside itself.
	index, flat func() *cachedIndex
}

// current is a view that is not older than the last change.
func (j *aggregateIndex) currentSnapshot() *aggregateSnapshot {
	if v := j.snapshot.Load(); j.isFresh(v) {
		return v
	}
	j.refreshing.Lock()
	defer j.refreshing.Unlock()
	old := j.snapshot.Load()
	if j.isFresh(old) {
		return old
	}
	next := &aggregateSnapshot{generation: j.index.generation.Load(), takenAt: time.Now()}
	for _, owner := range j.sortByPrecedence(j.index.listOwners()) {
		if j.isShared(owner) {
			next.owners = append(next.owners, owner)
		}
	}
	if old != nil && old.generation == next.generation && slices.Equal(old.owners, next.owners) {
		next.index, next.flat = old.index, old.flat
	} else {
		next.index = j.newLazyIndex(next, func(r *record) string { return r.Namespace + "/" + r.Source + "/" + archivePath(r) })
		next.flat = j.newLazyIndex(next, func(r *record) string { return j.entryName(next, r) + "-" + r.Version + ".tgz" })
	}
	j.snapshot.Store(next)
	return next
}

// ordered sorts owners by precedence.
func (j *aggregateIndex) sortByPrecedence(owners []hydrate.Owner) []hydrate.Owner {
	rank := func(owner hydrate.Owner) int {
		if at := slices.Index(j.markets, owner.Namespace); at >= 0 {
			return at
		}
		return len(j.markets)
	}
	slices.SortStableFunc(owners, func(a, b hydrate.Owner) int { return cmp.Compare(rank(a), rank(b)) })
	return owners
}

// page makes an index of a view when it is first asked for.
func (j *aggregateIndex) newLazyIndex(of *aggregateSnapshot, url func(*record) string) func() *cachedIndex {
	return sync.OnceValue(func() *cachedIndex {
		name := func(r *record) string { return j.entryName(of, r) }
		return newCachedIndex(of.generation, renderIndex(j.index.recordsOf(of.owners...), name, url))
	})
}

// nameIn returns the name of a record in the index of a view.
func (j *aggregateIndex) entryName(v *aggregateSnapshot, r *record) string {
	if j.isFirstMarket(r.Namespace) && j.firstOwnerOf(v, r.App) == r.owner() {
		return r.App
	}
	return r.Namespace + entrySeparator + r.Source + entrySeparator + r.App
}

// separator is in the name of no namespace, source or app.
const entrySeparator = "_"

// isFirst reports whether a namespace is the market whose apps have their own names: the
// first one, or any where no order is configured.
func (j *aggregateIndex) isFirstMarket(namespace string) bool {
	return len(j.markets) == 0 || j.markets[0] == namespace
}

// firstOf returns the first owner in a view that offers an app under its own name.
func (j *aggregateIndex) firstOwnerOf(v *aggregateSnapshot, app string) hydrate.Owner {
	for _, owner := range v.owners {
		if !j.isFirstMarket(owner.Namespace) {
			break
		}
		if j.index.hasApp(owner, app) {
			return owner
		}
	}
	return hydrate.Owner{}
}

func (j *aggregateIndex) isFresh(v *aggregateSnapshot) bool {
	return v != nil && v.generation == j.index.generation.Load() && time.Since(v.takenAt) < sharingAge
}

// file finds an archive by the name that the flat index has for it.
func (j *aggregateIndex) findByEntryFile(name string) *record {
	v := j.currentSnapshot()
	if namespace, rest, isQualified := strings.Cut(name, entrySeparator); isQualified {
		source, file, _ := strings.Cut(rest, entrySeparator)
		owner := hydrate.Owner{Namespace: namespace, Source: source}
		if r := j.index.findByFile(owner, file); r != nil && slices.Contains(v.owners, owner) && j.entryName(v, r) != r.App {
			return r
		}
		return nil
	}
	for _, owner := range v.owners {
		if r := j.index.findByFile(owner, name); r != nil && j.entryName(v, r) == r.App {
			return r
		}
	}
	return nil
}

// pick finds the source that the headers ask for. The source is a name or
// "<namespace>/<name>"; the user is a namespace, and a source there comes before
// a shared one of the same name.
func (j *aggregateIndex) selectSource(user, source string) (hydrate.Owner, bool) {
	if namespace, name, ok := strings.Cut(source, "/"); ok {
		return j.lookupSource(hydrate.Owner{Namespace: namespace, Source: name})
	}
	if owner, ok := j.lookupSource(hydrate.Owner{Namespace: user, Source: source}); ok {
		return owner, true
	}
	for _, owner := range j.currentSnapshot().owners {
		if owner.Source == source {
			return owner, true
		}
	}
	return hydrate.Owner{}, false
}

func (j *aggregateIndex) lookupSource(owner hydrate.Owner) (hydrate.Owner, bool) {
	p, _ := j.index.sourceIndexOf(owner)
	return owner, p != nil
}
