// Package recording keeps recordings of terminal sessions in a directory.
//
// A recording is an asciicast file (version 2) with the output of the terminal and its sizes. It does not
// contain the input, which can be a password. Its name is the SHA-256 digest of its content, so a changed file
// is recognized. A file with one line of JSON and the same name says who used the terminal, when and where.
//
// The directory has a limit for its size and for the age of recordings; the oldest ones are removed. Several
// processes can use one directory.
package recording

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
)

const (
	// MaxBytes is the size of the largest recording. A session whose recording is larger ends.
	MaxBytes = 16 << 20
	// maxRecordings is the number of recordings that are kept.
	maxRecordings = 10000
	// maintenancePeriod is the time between two removals of old recordings.
	maintenancePeriod = 10 * time.Minute
	// abandonedAge is the time after which a recording that no process touches is abandoned, and touchPeriod
	// the time after which a process touches its own.
	abandonedAge, touchPeriod = 10 * time.Minute, time.Minute
)

const (
	partSuffix, castSuffix, entrySuffix = ".part", ".cast", ".json"
	fileMode                            = 0o600
)

// Store keeps recordings. It is safe for concurrent use.
type Store struct {
	dir    string
	limits Limits
	log    logr.Logger
}

// Limits are the limits of a Store.
type Limits struct {
	// Bytes is the size of all recordings.
	Bytes int64
	// Age is the time for which a recording is kept.
	Age time.Duration
}

// Open returns the recordings in a directory, which must exist and be writable.
func Open(dir string, limits Limits, log logr.Logger) (*Store, error) {
	if limits.Bytes < MaxBytes {
		return nil, fmt.Errorf("recordings: must be allowed at least %d bytes, the size of one", MaxBytes)
	}
	s := &Store{dir: dir, limits: limits, log: log}
	probe, err := os.CreateTemp(dir, "*"+partSuffix)
	if err != nil {
		return nil, fmt.Errorf("open recordings: %w", err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return nil, fmt.Errorf("open recordings: %w", err)
	}
	return s, nil
}

// Maintain removes recordings that are too old, and completes the ones of processes that have ended, until the
// context is done.
func (s *Store) Maintain(ctx context.Context) error {
	ticker := time.NewTicker(maintenancePeriod)
	defer ticker.Stop()
	for {
		if err := s.applyLimits(time.Now()); err != nil {
			s.log.Error(err, "Cannot remove old recordings")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// applyLimits removes recordings that are too old, and completes abandoned ones.
func (s *Store) applyLimits(now time.Time) error {
	files, err := s.listFiles()
	if err != nil {
		return err
	}
	var failures []error
	for _, file := range files {
		switch age := now.Sub(file.changed); {
		case file.isOpen() && age > abandonedAge:
			failures = append(failures, s.completeAbandoned(file))
		case !file.isOpen() && age > s.limits.Age:
			failures = append(failures, s.removeRecording(file, "its age"))
		}
	}
	return errors.Join(failures...)
}

// makeRoom removes the oldest recordings until there is room for one more.
func (s *Store) makeRoom() error {
	files, err := s.listFiles()
	if err != nil {
		return err
	}
	needed, count := int64(MaxBytes), 1
	for _, file := range files {
		count++
		if file.isOpen() { // It can become as large as any.
			needed += MaxBytes
		} else {
			needed += file.size
		}
	}
	for _, file := range files {
		if needed <= s.limits.Bytes && count <= maxRecordings {
			return nil
		}
		if file.isOpen() {
			continue
		}
		if err := s.removeRecording(file, "the size of all recordings"); err != nil {
			return err
		}
		needed -= file.size
		count--
	}
	if needed > s.limits.Bytes {
		return errors.New("the recordings that are being written need all of the allowed size")
	}
	return nil
}

// storedFile is a recording in the directory.
type storedFile struct {
	name    string
	size    int64
	changed time.Time
}

// isOpen reports whether the recording is not complete.
func (f storedFile) isOpen() bool { return strings.HasSuffix(f.name, partSuffix) }

// listFiles returns the recordings, the oldest first.
func (s *Store) listFiles() ([]storedFile, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list recordings: %w", err)
	}
	var files []storedFile
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), partSuffix) && !strings.HasSuffix(entry.Name(), castSuffix) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, os.ErrNotExist) { // Another process has removed it.
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list recordings: %w", err)
		}
		if info.Mode().IsRegular() {
			files = append(files, storedFile{entry.Name(), info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(files, func(a, b storedFile) int {
		return cmp.Or(a.changed.Compare(b.changed), strings.Compare(a.name, b.name))
	})
	return files, nil
}

// removeRecording removes a complete recording and its entry.
func (s *Store) removeRecording(file storedFile, reason string) error {
	digest := strings.TrimSuffix(file.name, castSuffix)
	s.log.Info("Removing a recording", "recording", digest, "limit", reason)
	for _, name := range []string{file.name, digest + entrySuffix} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove recording: %w", err)
		}
	}
	return nil
}
