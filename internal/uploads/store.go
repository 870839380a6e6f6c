package uploads

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/lru"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/fairsemaphore"
	"github.com/appmarket/operator/internal/volume"
)

const (
	chartsFolder   = "charts"
	incomingFolder = "incoming"
)

// ChartReader unpacks an archive within the limits of package chart, and returns its Chart.yaml.
// An error about the archive is Stalled.
type ChartReader interface {
	ReadMetadata(ctx context.Context, namespace string, archive []byte) (chart.Metadata, error)
}

// Options configures a Store.
type Options struct {
	Reader ChartReader
	// NamespaceBytes is the maximum size of the charts that are uploaded to the sources of one
	// namespace. Zero means no limit.
	NamespaceBytes int64
	// Now returns the time of an upload. Defaults to time.Now.
	Now func() time.Time
}

// Limits are the limits of one source.
type Limits struct {
	// AllowOverwrite allows an upload to replace a version that has another content.
	AllowOverwrite bool
	// Charts is the maximum number of versions of all apps, and Bytes the maximum size of their
	// content.
	Charts int
	Bytes  int64
}

// Store stores uploaded charts in a folder. It is safe for concurrent use.
type Store struct {
	files   *volume.Folder
	options Options

	// sessions contains the uploads in progress by their path, and commits the lock of each namespace.
	mu       sync.Mutex
	sessions map[string]*Session
	commits  map[string]*sync.Mutex
	// checks limits the archives that are in memory at the same time, and comparisons the content that is
	// compared for requests that upload nothing, fairly among namespaces.
	checks, comparisons *fairsemaphore.Semaphore
	// verified contains the files that were compared with their digest, as verifiedFile by their path.
	verified *lru.Cache
}

// maxConcurrentChecks is the number of archives that are read into memory at the same time, and
// maxConcurrentComparisons the number of files that are compared for requests that upload nothing.
const maxConcurrentChecks, maxConcurrentComparisons = 2, 2

// Open opens the store in a folder, which is created if it does not exist, and removes the temporary
// files of an earlier run.
func Open(dir string, options Options) (*Store, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, volume.StorageError(fmt.Errorf("open uploads: %w", err))
	}
	folder, err := volume.Open(filepath.Clean(dir))
	if err != nil {
		return nil, volume.StorageError(fmt.Errorf("open uploads: %w", err))
	}
	s := &Store{
		files: folder, options: options, sessions: map[string]*Session{}, commits: map[string]*sync.Mutex{},
		checks: fairsemaphore.New(maxConcurrentChecks), comparisons: fairsemaphore.New(maxConcurrentComparisons), verified: lru.New(maxVerified),
	}
	if err := s.removeLeftovers(); err != nil {
		return nil, errors.Join(volume.StorageError(fmt.Errorf("open uploads: %w", err)), folder.Close())
	}
	return s, nil
}

// Close closes the folder. The store must not be used afterwards.
func (s *Store) Close() error { return s.files.Close() }

// lockCharts locks the charts of the sources in a namespace, which share a limit, for a change. It returns the
// function that unlocks them.
func (s *Store) lockCharts(namespace string) (unlock func()) {
	s.mu.Lock()
	lock := s.commits[namespace]
	if lock == nil {
		lock = &sync.Mutex{}
		s.commits[namespace] = lock
	}
	s.mu.Unlock()
	lock.Lock()
	return lock.Unlock
}

// AddSource creates the folder of a source, so that List finds it.
func (s *Store) AddSource(owner hydrate.Owner) error {
	if err := CheckOwner(owner); err != nil {
		return err
	}
	if err := s.files.MakeFolder(recordsFolder(owner)); err != nil {
		return volume.StorageError(fmt.Errorf("create the folder of a source: %w", volume.WithoutPath(err)))
	}
	return nil
}

// removeLeftovers removes the temporary files of writers that were killed.
func (s *Store) removeLeftovers() error {
	err := fs.WalkDir(s.files.Root.FS(), chartsFolder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), volume.TemporaryPrefix) {
			return err
		}
		if err := s.files.Root.Remove(name); err != nil && !volume.IsReadOnlyError(err) {
			return err
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// owners returns the sources that have a folder in one of the two trees.
func (s *Store) owners(tree string) ([]hydrate.Owner, error) {
	var owners []hydrate.Owner
	namespaces, err := s.readFolder(tree)
	if err != nil {
		return nil, err
	}
	for _, namespace := range namespaces {
		found, err := s.ownersIn(tree, namespace.Name())
		if err != nil {
			return nil, err
		}
		owners = append(owners, found...)
	}
	return owners, nil
}

// ownersIn is owners for one namespace.
func (s *Store) ownersIn(tree, namespace string) ([]hydrate.Owner, error) {
	var owners []hydrate.Owner
	sources, err := s.readFolder(tree + "/" + namespace)
	for _, source := range sources {
		if owner := (hydrate.Owner{Namespace: namespace, Source: source.Name()}); CheckOwner(owner) == nil {
			owners = append(owners, owner)
		}
	}
	return owners, err
}

// readFolder returns the entries of a folder, or none if it does not exist.
func (s *Store) readFolder(name string) ([]fs.DirEntry, error) {
	found, err := fs.ReadDir(s.files.Root.FS(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, volume.StorageError(fmt.Errorf("read uploads: %w", volume.WithoutPath(err)))
	}
	return found, nil
}

// DigestOf returns the digest of content.
func DigestOf(data []byte) string { return chart.Digest(data) }
