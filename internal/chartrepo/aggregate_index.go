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

// sharingAge is the maximum age of a snapshot. Sharing is read from a cache of objects and
// need not be checked for each request.
const sharingAge = time.Second

// aggregateIndex is the repository of all shared sources.
//
// An app of the first market has its own name there. Any other app has the name
// <namespace>_<source>_<app>; names of objects contain no underscore. So the name of an entry
// does not depend on the content of other markets: they cannot take it, and it does not move
// to another market while the first one publishes nothing. If two sources of the first market
// offer the same app, the first of them by name keeps the plain name.
type aggregateIndex struct {
	index    *memoryIndex
	isShared func(hydrate.Owner) bool
	// markets are namespaces in order of precedence. Others follow, sorted by name.
	markets []string

	snapshot   atomic.Pointer[aggregateSnapshot]
	refreshing sync.Mutex
}

// aggregateSnapshot is the list of shared sources at one point in time.
type aggregateSnapshot struct {
	generation uint64
	takenAt    time.Time
	// owners are sorted by market, then by name.
	owners []hydrate.Owner
	// index refers to the archives at the paths of their sources; flat to archives next to
	// the index.
	index, flat func() *cachedIndex
}

// currentSnapshot returns a snapshot that is not older than the last change.
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

// sortByPrecedence sorts owners by market, in place.
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

// newLazyIndex returns a function that renders the index of a snapshot on first use.
func (j *aggregateIndex) newLazyIndex(snapshot *aggregateSnapshot, url func(*record) string) func() *cachedIndex {
	return sync.OnceValue(func() *cachedIndex {
		name := func(r *record) string { return j.entryName(snapshot, r) }
		return newCachedIndex(snapshot.generation, renderIndex(j.index.indexedRecordsOf(snapshot.owners...), name, url))
	})
}

// entryName returns the name of a record in the index of a snapshot.
func (j *aggregateIndex) entryName(v *aggregateSnapshot, r *record) string {
	if j.isFirstMarket(r.Namespace) && j.firstOwnerOf(v, r.App) == r.owner() {
		return r.App
	}
	return r.Namespace + entrySeparator + r.Source + entrySeparator + r.App
}

// entrySeparator is not allowed in the name of a namespace, source or app.
const entrySeparator = "_"

// isFirstMarket reports whether the apps of a namespace keep their own names: it is the first
// market, or no order is configured.
func (j *aggregateIndex) isFirstMarket(namespace string) bool {
	return len(j.markets) == 0 || j.markets[0] == namespace
}

// firstOwnerOf returns the first owner in a snapshot that offers an app under its own name.
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

// findByEntryFile returns the record of an archive by its name in the flat index.
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

// selectSource returns the source that the headers select. source is a name or
// "<namespace>/<name>". user is a namespace; its sources take precedence over shared sources
// of the same name.
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
