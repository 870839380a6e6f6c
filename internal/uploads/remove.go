package uploads

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/volume"
)

const (
	// graceTime is the time after which content that no chart refers to, and an unfinished upload,
	// are removed.
	graceTime = time.Hour
	// retentionTime is the time for which the charts of a deleted source are kept, because they
	// exist nowhere else.
	retentionTime = 24 * time.Hour
	// deletedMarker is the file whose time is when the source was found deleted.
	deletedMarker = "deleted"
)

// Remove removes a version. The error matches fs.ErrNotExist if it does not exist.
func (s *Store) Remove(owner hydrate.Owner, app, version string) error {
	defer s.lockCharts(owner.Namespace)()
	old, err := s.Find(owner, app, version)
	if err != nil {
		return err
	}
	name := recordPath(owner, app, version)
	if err := s.files.RemoveFile(name); err != nil {
		return volume.StorageError(fmt.Errorf("remove record: %w", volume.WithoutPath(err)))
	}
	s.files.PruneFolders(path.Dir(name), recordsFolder(owner))
	return s.removeUnreferenced(owner, old.blobs(), 0)
}

// removeUnreferenced removes content that no chart of the source refers to, and that has not been
// written for a time. The caller must hold the lock.
func (s *Store) removeUnreferenced(owner hydrate.Owner, blobs []Blob, age time.Duration) error {
	charts, damaged, err := s.List(owner)
	if err != nil || len(damaged) > 0 {
		return err // A damaged record may refer to anything.
	}
	used := map[string]bool{}
	for _, c := range charts {
		for _, b := range c.blobs() {
			used[b.Digest] = true
		}
	}
	var errs []error
	for _, b := range blobs {
		name := blobPath(owner, b.Digest)
		if digestPattern.MatchString(b.Digest) && !used[b.Digest] && s.isOlderThan(name, age) {
			errs = append(errs, s.discardFile(name))
		}
	}
	return errors.Join(errs...)
}

// isOlderThan reports whether a file exists and was last written at least some time ago.
func (s *Store) isOlderThan(name string, age time.Duration) bool {
	info, err := s.files.Root.Stat(name)
	return err == nil && s.options.Now().Sub(info.ModTime()) >= age
}

// SourceState is whether the source of uploaded charts exists.
type SourceState int

const (
	// SourceExists means that the MarketSource exists.
	SourceExists SourceState = iota
	// SourceDeleted means that the MarketSource does not exist, and that its namespace does.
	SourceDeleted
	// NamespaceDeleted means that neither exists.
	NamespaceDeleted
)

// Sweep removes unfinished uploads and content that no chart refers to, after graceTime, and the
// charts of sources that were deleted: after retentionTime, or at once if the namespace was deleted,
// because another tenant can create a namespace of the same name.
func (s *Store) Sweep(ctx context.Context, stateOf func(context.Context, hydrate.Owner) (SourceState, error)) error {
	var errs []error
	received, err := s.owners(incomingFolder)
	errs = append(errs, err)
	for _, owner := range received {
		errs = append(errs, s.sweepIncoming(owner))
	}
	owners, err := s.owners(chartsFolder)
	errs = append(errs, err)
	for _, owner := range owners {
		state, err := stateOf(ctx, owner)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, s.sweepSource(owner, state))
	}
	return errors.Join(errs...)
}

func (s *Store) sweepIncoming(owner hydrate.Owner) error {
	found, err := s.readFolder(incomingPath(owner))
	errs := []error{err}
	for _, entry := range found {
		name := path.Join(incomingPath(owner), entry.Name())
		if !s.isReceiving(name) && s.isOlderThan(name, graceTime) {
			errs = append(errs, s.discardFile(name))
		}
	}
	s.files.PruneFolders(incomingPath(owner), incomingFolder)
	return errors.Join(errs...)
}

func (s *Store) sweepSource(owner hydrate.Owner, state SourceState) error {
	defer s.lockCharts(owner.Namespace)()
	marker := path.Join(sourceFolder(owner), deletedMarker)
	switch {
	case state == NamespaceDeleted, state == SourceDeleted && s.isOlderThan(marker, retentionTime):
		if err := s.files.Root.RemoveAll(sourceFolder(owner)); err != nil {
			return volume.StorageError(fmt.Errorf("remove charts of a deleted source: %w", volume.WithoutPath(err)))
		}
		s.files.PruneFolders(path.Dir(sourceFolder(owner)), chartsFolder)
		return nil
	case state == SourceDeleted:
		if err := s.files.CreateFile(marker, nil); err != nil && !errors.Is(err, fs.ErrExist) {
			return volume.StorageError(fmt.Errorf("mark the charts of a deleted source: %w", err))
		}
		return nil
	}
	if err := s.discardFile(marker); err != nil {
		return err
	}
	found, err := s.readFolder(blobsFolder(owner))
	if err != nil {
		return err
	}
	var blobs []Blob
	for _, entry := range found {
		if digest := "sha256:" + entry.Name(); digestPattern.MatchString(digest) && !strings.HasPrefix(entry.Name(), volume.TemporaryPrefix) {
			blobs = append(blobs, Blob{Digest: digest})
		}
	}
	err = s.removeUnreferenced(owner, blobs, graceTime)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // There are no charts yet.
	}
	return err
}
