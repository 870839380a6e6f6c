package chartrepo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/volume"
)

// Defaults of Options.
const (
	DefaultCacheBytes     = 32 << 20
	DefaultScrubPerSecond = 16 << 20
)

// Options configures a Store. The zero value is usable.
type Options struct {
	// CacheBytes is the maximum memory for archives and reports that are cached for the
	// server. Defaults to DefaultCacheBytes. A negative number disables the cache.
	CacheBytes int64
	// ScrubPerSecond is the maximum number of bytes that Scrub reads per second. Defaults to
	// DefaultScrubPerSecond.
	ScrubPerSecond int
	// NamespaceBytes is the maximum size of the archives and reports that the sources of one
	// namespace can publish; zero means no limit. Published versions stay when the limit is
	// lowered.
	NamespaceBytes int64
	// OnDamaged is called for everything that Open, Scrub or a request finds missing or
	// altered. It is called without locks held, possibly from several goroutines at the same
	// time.
	OnDamaged func(DamagedRecord)
	// OnWritable is called for each app whose publication failed because of the storage,
	// once a WriteCheck finds that the store can be written again.
	OnWritable func(owner hydrate.Owner, app string)
	// CanChange reports whether this process can change the files. A process that only serves charts
	// leaves the removal of damaged files to the one that publishes. Defaults to true.
	CanChange func() bool
	// Indexed reports whether a version is in the indexes and can be read by everyone who can read its
	// source. It must not block, and must not call the store. Call RefreshIndex when its result for a
	// source changes. Defaults to all versions.
	Indexed func(owner hydrate.Owner, app, version string) bool
	// Now returns the time of publication. Defaults to time.Now.
	Now func() time.Time
}

// DamagedRecord is a published version, or a part of it, that cannot be served as it was
// published. Path is the name of the file in the storage. Owner, App and Version
// are empty if the file does not contain them.
type DamagedRecord struct {
	Owner   hydrate.Owner
	App     string
	Version string
	Path    string
	Err     error
}

// Store stores published charts in a Storage. It is safe for concurrent use, and implements
// hydrate.Publisher.
type Store struct {
	files   Storage
	index   *memoryIndex
	cache   *cache
	options Options

	// commit serializes changes of records and of damaged blobs.
	commit sync.Mutex
	// loads deduplicates concurrent reads of the same bytes.
	loads singleflight.Group
	// verified maps a digest to the FileInfo of the file that was last found to match it.
	verified sync.Map
	// marked maps a digest to the time at which this process marked its file as damaged.
	marked sync.Map
	// failures contains the publications that could not be written.
	failures writeFailures
}

var _ hydrate.Publisher = (*Store)(nil)

// Open opens the store in dir, which must exist, as OpenStorage does. It removes temporary files of
// an earlier run.
func Open(dir string, options Options) (*Store, error) {
	files, err := openVolume(dir)
	if err != nil {
		return nil, volume.StorageError(fmt.Errorf("open chart store: %w", err))
	}
	return OpenStorage(files, options)
}

// OpenStorage opens the store in a Storage, which the store closes, and reads the published records.
// A record that is damaged, or whose archive is missing or has the wrong size, is dropped and
// reported to Options.OnDamaged; it does not prevent the store from opening.
//
// Several processes can open the same Storage if only one of them publishes and the others call
// Refresh.
func OpenStorage(files Storage, options Options) (*Store, error) {
	if options.CacheBytes == 0 {
		options.CacheBytes = DefaultCacheBytes
	}
	if options.ScrubPerSecond <= 0 {
		options.ScrubPerSecond = DefaultScrubPerSecond
	}
	if options.OnDamaged == nil {
		options.OnDamaged = func(DamagedRecord) {}
	}
	if options.OnWritable == nil {
		options.OnWritable = func(hydrate.Owner, string) {}
	}
	if options.CanChange == nil {
		options.CanChange = func() bool { return true }
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	s := &Store{files: files, index: newMemoryIndex(), cache: newCache(options.CacheBytes), options: options}
	if options.Indexed != nil {
		s.index.isIndexed = func(r *record) bool { return options.Indexed(r.owner(), r.App, r.Version) }
	}
	if _, err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// RefreshIndex renders the index of a source again when it is requested next.
func (s *Store) RefreshIndex(owner hydrate.Owner) { s.index.refreshIndex(owner) }

// Close closes the folder. The store must not be used afterwards.
func (s *Store) Close() error { return s.files.Close() }

// Has reports whether the version of the app is published with the given digest,
// "sha256:<hex>" of the archive, and its files exist with the right sizes. It does not read
// any file. A file counts as existing while the storage is unavailable, because charts that cannot be
// stored need not be hydrated again.
func (s *Store) Has(owner hydrate.Owner, app, version, digest string) bool {
	r := s.index.find(owner, app, version)
	if r == nil || r.Archive.Digest != digest {
		return false
	}
	for _, b := range r.blobs() {
		info, err := s.files.Stat(blobPath(b.Digest))
		if errors.Is(err, ErrUnavailable) {
			continue
		}
		if err != nil || info.Size != b.Size {
			return false
		}
	}
	return true
}

// Entry is one published version.
type Entry struct {
	Owner   hydrate.Owner
	App     string
	Version string
	hydrate.Published
	// Size is the size of the archive in bytes.
	Size int64
	// Created is the time at which this digest was first published, in whole seconds.
	Created time.Time
}

// Entries returns all published versions, sorted by owner, app and version, newest first.
func (s *Store) Entries() []Entry {
	records := s.index.allRecords()
	entries := make([]Entry, len(records))
	for i, r := range records {
		entries[i] = Entry{
			Owner: r.owner(), App: r.App, Version: r.Version,
			Published: r.toPublished(), Size: r.Archive.Size, Created: r.Created,
		}
	}
	return entries
}

// Check returns an error if the store cannot be read.
func (s *Store) Check(context.Context) error {
	if err := s.files.Check(); err != nil {
		return volume.StorageError(fmt.Errorf("read chart store: %w", err))
	}
	return nil
}

// CheckWritten returns the error of the last publication, or nil if it succeeded or there was
// none. It does not access the storage.
func (s *Store) CheckWritten(context.Context) error {
	return s.failures.lastError()
}
