package chartrepo

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/appmarket/operator/hydrate"
)

// memoryIndex is the index of published versions in memory. Its records never change.
type memoryIndex struct {
	// generation is incremented by each change.
	generation atomic.Uint64

	mu      sync.RWMutex
	sources map[hydrate.Owner]*sourceIndex
	// references are the records by the digests that they reference; pinned counts the
	// writers that are about to reference a digest. Neither kind of blob must be removed.
	references map[string][]*record
	pinned     map[string]int
	// sizes are the total sizes of the published files of each namespace.
	sizes map[string]int64
	// isIndexed reports whether a record is in the indexes and can be read by everyone who can read
	// its source. It does not change.
	isIndexed func(*record) bool
}

// sourceIndex is the index of one owner.
type sourceIndex struct {
	// generation is the generation of the last change.
	generation uint64
	apps       map[string]map[string]*record
	// files are the records by the file name of the archive.
	files map[string]*record
	// cached is the rendered index of some generation, possibly an older one.
	cached    atomic.Pointer[cachedIndex]
	rendering sync.Mutex
}

func newMemoryIndex() *memoryIndex {
	return &memoryIndex{
		isIndexed:  func(*record) bool { return true },
		sources:    map[hydrate.Owner]*sourceIndex{},
		references: map[string][]*record{},
		pinned:     map[string]int{},
		sizes:      map[string]int64{},
	}
}

// put adds the record, and replaces a record of the same version.
func (t *memoryIndex) put(r *record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(r.owner(), r.App, r.Version)
	p := t.sources[r.owner()]
	if p == nil {
		p = &sourceIndex{apps: map[string]map[string]*record{}, files: map[string]*record{}}
		t.sources[r.owner()] = p
	}
	if p.apps[r.App] == nil {
		p.apps[r.App] = map[string]*record{}
	}
	p.apps[r.App][r.Version] = r
	p.files[r.fileName()] = r
	t.sizes[r.Namespace] += r.totalSize()
	for _, b := range r.blobs() {
		t.references[b.Digest] = append(t.references[b.Digest], r)
	}
	p.generation = t.generation.Add(1)
}

// removeRecord removes the record, unless another record has replaced it.
func (t *memoryIndex) removeRecord(r *record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.sources[r.owner()]; p != nil && p.apps[r.App][r.Version] == r {
		t.removeLocked(r.owner(), r.App, r.Version)
		if len(p.apps) == 0 {
			delete(t.sources, r.owner())
		}
	}
}

func (t *memoryIndex) removeLocked(owner hydrate.Owner, app, version string) {
	p := t.sources[owner]
	if p == nil || p.apps[app][version] == nil {
		return
	}
	r := p.apps[app][version]
	delete(p.apps[app], version)
	if len(p.apps[app]) == 0 {
		delete(p.apps, app)
	}
	delete(p.files, r.fileName())
	if t.sizes[r.Namespace] -= r.totalSize(); t.sizes[r.Namespace] == 0 {
		delete(t.sizes, r.Namespace)
	}
	for _, b := range r.blobs() {
		rest := slices.DeleteFunc(t.references[b.Digest], func(other *record) bool { return other == r })
		if t.references[b.Digest] = rest; len(rest) == 0 {
			delete(t.references, b.Digest)
		}
	}
	p.generation = t.generation.Add(1)
}

func (t *memoryIndex) find(owner hydrate.Owner, app, version string) *record {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if p := t.sources[owner]; p != nil {
		return p.apps[app][version]
	}
	return nil
}

// findByFile returns the record with the file name of an archive.
func (t *memoryIndex) findByFile(owner hydrate.Owner, name string) *record {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if p := t.sources[owner]; p != nil {
		return p.files[name]
	}
	return nil
}

// hasApp reports whether the owner has published a version of an app.
func (t *memoryIndex) hasApp(owner hydrate.Owner, app string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	p := t.sources[owner]
	return p != nil && len(p.apps[app]) > 0
}

// sourceIndexOf returns the index of an owner and its generation, or nil if there is none.
func (t *memoryIndex) sourceIndexOf(owner hydrate.Owner) (*sourceIndex, uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	p := t.sources[owner]
	if p == nil {
		return nil, 0
	}
	return p, p.generation
}

func (t *memoryIndex) listOwners() []hydrate.Owner {
	t.mu.RLock()
	owners := slices.Collect(maps.Keys(t.sources))
	t.mu.RUnlock()
	slices.SortFunc(owners, compareOwners)
	return owners
}

// recordsOf returns the records of the owners, unsorted.
func (t *memoryIndex) recordsOf(owners ...hydrate.Owner) []*record {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var records []*record
	for _, owner := range owners {
		if p := t.sources[owner]; p != nil {
			records = slices.AppendSeq(records, maps.Values(p.files))
		}
	}
	return records
}

// indexedRecordsOf returns the records of the owners that are in the indexes, unsorted.
func (t *memoryIndex) indexedRecordsOf(owners ...hydrate.Owner) []*record {
	return slices.DeleteFunc(t.recordsOf(owners...), func(r *record) bool { return !t.isIndexed(r) })
}

// refreshIndex has the indexes that contain an owner rendered again.
func (t *memoryIndex) refreshIndex(owner hydrate.Owner) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.sources[owner]; p != nil {
		p.generation = t.generation.Add(1)
	}
}

// versionsOf returns the records of one app, unsorted.
func (t *memoryIndex) versionsOf(owner hydrate.Owner, app string) []*record {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if p := t.sources[owner]; p != nil {
		return slices.Collect(maps.Values(p.apps[app]))
	}
	return nil
}

// allRecords returns all records, sorted by owner, app and version, newest first.
func (t *memoryIndex) allRecords() []*record {
	records := t.recordsOf(t.listOwners()...)
	slices.SortFunc(records, func(a, b *record) int {
		return cmp.Or(compareOwners(a.owner(), b.owner()), cmp.Compare(a.App, b.App), compareNewestFirst(a, b))
	})
	return records
}

func compareOwners(a, b hydrate.Owner) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Source, b.Source))
}

// referencing returns the records that reference the digest.
func (t *memoryIndex) referencing(digest string) []*record {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.references[digest])
}

// referencedDigests returns all referenced digests, sorted.
func (t *memoryIndex) referencedDigests() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Sorted(maps.Keys(t.references))
}

// pinBlobs prevents the removal of blobs until the returned function is called.
func (t *memoryIndex) pinBlobs(blobs []blob) (release func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range blobs {
		t.pinned[b.Digest]++
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, b := range blobs {
			if t.pinned[b.Digest]--; t.pinned[b.Digest] == 0 {
				delete(t.pinned, b.Digest)
			}
		}
	}
}

// ifUnreferenced calls remove, during which no writer can pin the digest, and reports whether
// it called. It does not call if more than the given number of writers pinned the digest, or
// if a record references it and spareReferenced is set.
func (t *memoryIndex) ifUnreferenced(digest string, writers int, spareReferenced bool, remove func() error) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pinned[digest] > writers || spareReferenced && len(t.references[digest]) > 0 {
		return false, nil
	}
	return true, remove()
}
