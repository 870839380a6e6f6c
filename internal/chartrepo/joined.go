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
type joined struct {
	table  *table
	shared func(hydrate.Owner) bool
	// markets are namespaces in order of precedence; others come after them, by name.
	markets []string

	view   atomic.Pointer[view]
	making sync.Mutex
}

// view is what is shared at one moment.
type view struct {
	generation uint64
	asked      time.Time
	// owners come in the order of their markets, those of one market by name.
	owners []hydrate.Owner
	// index has the archives at the paths of their sources, flat beside itself.
	index, flat func() *page
}

// current is a view that is not older than the last change.
func (j *joined) current() *view {
	if v := j.view.Load(); j.fresh(v) {
		return v
	}
	j.making.Lock()
	defer j.making.Unlock()
	old := j.view.Load()
	if j.fresh(old) {
		return old
	}
	next := &view{generation: j.table.generation.Load(), asked: time.Now()}
	for _, owner := range j.ordered(j.table.owners()) {
		if j.shared(owner) {
			next.owners = append(next.owners, owner)
		}
	}
	if old != nil && old.generation == next.generation && slices.Equal(old.owners, next.owners) {
		next.index, next.flat = old.index, old.flat
	} else {
		next.index = j.page(next, func(r *record) string { return r.Namespace + "/" + r.Source + "/" + archivePath(r) })
		next.flat = j.page(next, func(r *record) string { return j.nameIn(next, r) + "-" + r.Version + ".tgz" })
	}
	j.view.Store(next)
	return next
}

// ordered sorts owners by precedence.
func (j *joined) ordered(owners []hydrate.Owner) []hydrate.Owner {
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
func (j *joined) page(of *view, url func(*record) string) func() *page {
	return sync.OnceValue(func() *page {
		name := func(r *record) string { return j.nameIn(of, r) }
		return newPage(of.generation, indexPage(j.table.of(of.owners...), name, url))
	})
}

// nameIn returns the name of a record in the index of a view.
func (j *joined) nameIn(v *view, r *record) string {
	if j.isFirst(r.Namespace) && j.firstOf(v, r.App) == r.owner() {
		return r.App
	}
	return r.Namespace + separator + r.Source + separator + r.App
}

// separator is in the name of no namespace, source or app.
const separator = "_"

// isFirst reports whether a namespace is the market whose apps have their own names: the
// first one, or any where no order is configured.
func (j *joined) isFirst(namespace string) bool {
	return len(j.markets) == 0 || j.markets[0] == namespace
}

// firstOf returns the first owner in a view that offers an app under its own name.
func (j *joined) firstOf(v *view, app string) hydrate.Owner {
	for _, owner := range v.owners {
		if !j.isFirst(owner.Namespace) {
			break
		}
		if j.table.offers(owner, app) {
			return owner
		}
	}
	return hydrate.Owner{}
}

func (j *joined) fresh(v *view) bool {
	return v != nil && v.generation == j.table.generation.Load() && time.Since(v.asked) < sharingAge
}

// file finds an archive by the name that the flat index has for it.
func (j *joined) file(name string) *record {
	v := j.current()
	if namespace, rest, isQualified := strings.Cut(name, separator); isQualified {
		source, file, _ := strings.Cut(rest, separator)
		owner := hydrate.Owner{Namespace: namespace, Source: source}
		if r := j.table.file(owner, file); r != nil && slices.Contains(v.owners, owner) && j.nameIn(v, r) != r.App {
			return r
		}
		return nil
	}
	for _, owner := range v.owners {
		if r := j.table.file(owner, name); r != nil && j.nameIn(v, r) == r.App {
			return r
		}
	}
	return nil
}

// pick finds the source that the headers ask for. The source is a name or
// "<namespace>/<name>"; the user is a namespace, and a source there comes before
// a shared one of the same name.
func (j *joined) pick(user, source string) (hydrate.Owner, bool) {
	if namespace, name, ok := strings.Cut(source, "/"); ok {
		return j.known(hydrate.Owner{Namespace: namespace, Source: name})
	}
	if owner, ok := j.known(hydrate.Owner{Namespace: user, Source: source}); ok {
		return owner, true
	}
	for _, owner := range j.current().owners {
		if owner.Source == source {
			return owner, true
		}
	}
	return hydrate.Owner{}, false
}

func (j *joined) known(owner hydrate.Owner) (hydrate.Owner, bool) {
	p, _ := j.table.part(owner)
	return owner, p != nil
}
