package chartrepo

import (
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
type joined struct {
	table  *table
	shared func(hydrate.Owner) bool

	view   atomic.Pointer[view]
	making sync.Mutex
}

// view is what is shared at one moment.
type view struct {
	generation uint64
	asked      time.Time
	// owners are sorted; where two offer the same, the first one counts.
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
	for _, owner := range j.table.owners() {
		if j.shared(owner) {
			next.owners = append(next.owners, owner)
		}
	}
	if old != nil && old.generation == next.generation && slices.Equal(old.owners, next.owners) {
		next.index, next.flat = old.index, old.flat
	} else {
		next.index = j.page(next, func(r *record) string { return r.Namespace + "/" + r.Source + "/" + archivePath(r) })
		next.flat = j.page(next, (*record).fileName)
	}
	j.view.Store(next)
	return next
}

// page makes an index of a view when it is first asked for.
func (j *joined) page(of *view, url func(*record) string) func() *page {
	return sync.OnceValue(func() *page { return newPage(of.generation, indexPage(j.table.of(of.owners...), url)) })
}

func (j *joined) fresh(v *view) bool {
	return v != nil && v.generation == j.table.generation.Load() && time.Since(v.asked) < sharingAge
}

// file finds an archive in the first shared source that has it.
func (j *joined) file(name string) *record {
	for _, owner := range j.current().owners {
		if r := j.table.file(owner, name); r != nil {
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
