package chartrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/appmarket/operator/hydrate"
)

// Defaults of Options.
const (
	DefaultCacheBytes     = 32 << 20
	DefaultScrubPerSecond = 16 << 20
)

// Options of a Store; the zero value is usable.
type Options struct {
	// CacheBytes bounds the memory that holds archives and reports for the
	// server; zero means DefaultCacheBytes, a negative number none at all.
	CacheBytes int64
	// ScrubPerSecond bounds the bytes that Scrub reads in a second; zero means
	// DefaultScrubPerSecond.
	ScrubPerSecond int
	// NamespaceBytes bounds what the sources of one namespace have published, archives
	// and reports; zero is no bound. What is published stays when the bound is lowered.
	NamespaceBytes int64
	// Damaged, if set, hears of everything found missing or altered, by Open, by
	// Scrub or by a request. It is called without locks held, possibly from
	// several goroutines at once.
	OnDamaged func(DamagedRecord)
	// Now is the clock for the time of publication; nil means time.Now.
	Now func() time.Time
}

// Damaged is a published version, or a part of it, that cannot be served as it
// was published. Path is that of the file below the folder of the store. Owner,
// App and Version are empty where the file does not say.
type DamagedRecord struct {
	Owner   hydrate.Owner
	App     string
	Version string
	Path    string
	Err     error
}

// Store keeps published charts in a folder. It is safe for concurrent use, and
// implements hydrate.Publisher.
type Store struct {
	files   *fileStore
	index   *memoryIndex
	cache   *cache
	options Options

	// commit orders what happens to records, and to blobs found damaged.
	commit sync.Mutex
	// loads lets only one request at a time read the same bytes from disk.
	loads singleflight.Group
	// checked remembers which file was last found to match a digest.
	verified sync.Map
	// failure is the error of the last attempt to publish, nil if it went well.
	writeFailure atomic.Pointer[error]
}

var _ hydrate.Publisher = (*Store)(nil)

// Open opens the store in dir, which must exist, and reads what is published.
// Temporary files of an earlier run are removed. A record that is damaged, or
// whose archive is missing or has the wrong length, is dropped and reported to
// Options.Damaged; it does not keep the store from opening.
//
// A folder may be opened by several processes if only one of them publishes and
// the others call Reload.
func Open(dir string, options Options) (*Store, error) {
	if options.CacheBytes == 0 {
		options.CacheBytes = DefaultCacheBytes
	}
	if options.ScrubPerSecond <= 0 {
		options.ScrubPerSecond = DefaultScrubPerSecond
	}
	if options.OnDamaged == nil {
		options.OnDamaged = func(DamagedRecord) {}
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	folder, err := openFileStore(dir)
	if err != nil {
		return nil, storageError(fmt.Errorf("open chart store: %w", explainDenied(dir, err)))
	}
	s := &Store{files: folder, index: newMemoryIndex(), cache: newCache(options.CacheBytes), options: options}
	if err := s.files.removeLeftovers(); err != nil {
		return nil, storageError(fmt.Errorf("open chart store: %w", err))
	}
	if _, err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// explainDenied says who may not write into the folder of a store, and what to do.
func explainDenied(dir string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("user %d may not write into %s: let the volume belong to this user, or to the group of fsGroup in the pod's securityContext: %w",
		os.Getuid(), dir, err)
}

// Close releases the folder. The store must not be used afterwards.
func (s *Store) Close() error { return s.files.root.Close() }

// Has reports whether the version of the app is published with the given digest,
// "sha256:<hex>" of the archive, and its files are there with the right lengths.
// It reads no file.
func (s *Store) Has(owner hydrate.Owner, app, version, digest string) bool {
	r := s.index.find(owner, app, version)
	if r == nil || r.Archive.Digest != digest {
		return false
	}
	for _, b := range r.blobs() {
		info, err := s.files.root.Stat(blobPath(b.Digest))
		if err != nil || info.Size() != b.Size {
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
	// Size of the archive in bytes.
	Size int64
	// Created is when this digest was first published, in whole seconds.
	Created time.Time
}

// Entries are all published versions, by owner, app and version, newest first.
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

// Check reports whether the store can be read.
func (s *Store) Check(context.Context) error {
	if _, err := s.files.root.Stat(recordsFolder); err != nil {
		return storageError(fmt.Errorf("read chart store: %w", err))
	}
	return nil
}

// CheckWritten reports the failure of the last attempt to publish, nil if it
// went well or nothing was published yet. It touches nothing.
func (s *Store) CheckWritten(context.Context) error {
	if err := s.writeFailure.Load(); err != nil {
		return *err
	}
	return nil
}
