package chartrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/volume"
)

// concurrentReads is the number of records that are read concurrently.
const concurrentReads = 16

// Reload reads all records again, so that versions published by another process are served and
// removed ones are not. It drops and reports damaged records as Open does, and returns them. If the
// storage is unavailable, the records stay as they are.
func (s *Store) Reload() ([]DamagedRecord, error) { return s.reloadRecords(true) }

// Refresh is Reload without the records whose files have not been written since they were read.
func (s *Store) Refresh() ([]DamagedRecord, error) { return s.reloadRecords(false) }

func (s *Store) reloadRecords(all bool) ([]DamagedRecord, error) {
	damaged, err := s.reloadIndex(all)
	for _, d := range damaged {
		s.options.OnDamaged(d)
	}
	return damaged, err
}

func (s *Store) reloadIndex(all bool) ([]DamagedRecord, error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	found, bad, err := s.readRecords(all)
	if err != nil {
		return nil, volume.StorageError(fmt.Errorf("read records: %w", err))
	}
	return s.reconcileIndex(found, bad), nil
}

// readRecords returns the records by their paths, and the damaged ones.
func (s *Store) readRecords(all bool) (map[string]*record, map[string]DamagedRecord, error) {
	// The folders are missing if the volume was wiped.
	if err := s.files.Prepare(); err != nil {
		return nil, nil, err
	}
	files, err := s.listRecords()
	if err != nil {
		return nil, nil, err
	}
	// Asking for each archive of a bucket takes longer than listing them.
	sizeOf := s.statSize
	if all {
		if sizeOf, err = s.listSizes(); err != nil {
			return nil, nil, err
		}
	}
	known := map[string]*record{}
	if !all {
		for _, r := range s.index.allRecords() {
			known[r.path()] = r
		}
	}
	var mu sync.Mutex
	found, bad := map[string]*record{}, map[string]DamagedRecord{}
	var group errgroup.Group
	group.SetLimit(concurrentReads)
	for _, file := range files {
		if old := known[file.Name]; old != nil && old.file.Name != "" && old.file.isSameVersion(file) {
			mu.Lock()
			found[file.Name] = old
			mu.Unlock()
			continue
		}
		group.Go(outcome.Guarded(func() error {
			r, problem := s.readRecord(file, sizeOf)
			if errors.Is(problem, ErrUnavailable) {
				return problem
			}
			mu.Lock()
			defer mu.Unlock()
			if problem != nil {
				bad[file.Name] = s.discardRecord(file.Name, problem)
			} else {
				found[file.Name] = r
			}
			return nil
		}))
	}
	err = group.Wait()
	return found, bad, err
}

// listRecords returns the files of all records.
func (s *Store) listRecords() (files []FileInfo, err error) {
	err = s.files.List(recordsFolder, func(file FileInfo) error {
		if !strings.HasPrefix(path.Base(file.Name), volume.TemporaryPrefix) {
			files = append(files, file)
		}
		return nil
	})
	return files, err
}

// statSize returns the size of a file.
func (s *Store) statSize(name string) (int64, error) {
	info, err := s.files.Stat(name)
	return info.Size, err
}

// listSizes returns a function that returns the size of a blob. It must be called after the records
// are listed: a blob is written before the record that names it.
func (s *Store) listSizes() (func(name string) (int64, error), error) {
	sizes := map[string]int64{}
	err := s.files.List(blobsFolder, func(file FileInfo) error {
		sizes[file.Name] = file.Size
		return nil
	})
	return func(name string) (int64, error) {
		size, exists := sizes[name]
		if !exists {
			return 0, fs.ErrNotExist
		}
		return size, nil
	}, err
}

// readRecord reads one record and checks that its archive exists. Missing reports do not prevent an
// archive from being served; Has detects them.
func (s *Store) readRecord(file FileInfo, sizeOf func(string) (int64, error)) (*record, error) {
	if !file.isRegular() || file.Size > maxRecordBytes {
		return nil, fmt.Errorf("read record: not a regular file of at most %d bytes", maxRecordBytes)
	}
	data, err := readFile(s.files, file.Name, maxRecordBytes)
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	r, err := decodeRecord(file.Name, data)
	if err != nil {
		return nil, err
	}
	r.file = file
	size, err := sizeOf(blobPath(r.Archive.Digest))
	if err != nil {
		return nil, fmt.Errorf("find archive: %w", err)
	}
	if size != r.Archive.Size {
		return nil, fmt.Errorf("check archive: size is %d bytes, expected %d", size, r.Archive.Size)
	}
	return r, nil
}

// discardRecord removes a record that cannot be served, and returns its owner, app and
// version as far as the path contains them.
func (s *Store) discardRecord(name string, problem error) DamagedRecord {
	d := DamagedRecord{Path: name, Err: errors.Join(problem, s.removeRecordFile(name))}
	if parts := strings.Split(strings.TrimSuffix(name, ".json"), "/"); len(parts) == 5 {
		d.Owner.Namespace, d.Owner.Source, d.App, d.Version = parts[1], parts[2], parts[3], parts[4]
	}
	return d
}

// reconcileIndex makes the index in memory match the records found in the storage. Unchanged records
// are kept. Records that were not found are added to the damaged ones. If this process is the only one that may
// change records, those that changed are, too: they are served, but may not be what their app has published.
func (s *Store) reconcileIndex(found map[string]*record, bad map[string]DamagedRecord) []DamagedRecord {
	var changed []DamagedRecord
	for _, old := range s.index.allRecords() {
		name := old.path()
		if next := found[name]; next != nil {
			if next.sum == old.sum {
				old.file = next.file
				delete(found, name)
			} else if s.options.CanChange() {
				changed = append(changed, next.toDamagedRecord(name, errors.New("find record: another process changed it")))
			}
			continue
		}
		s.index.removeRecord(old)
		if _, known := bad[name]; !known {
			bad[name] = old.toDamagedRecord(name, errors.New("find record: file does not exist"))
		}
	}
	for _, r := range found {
		s.index.put(r)
	}
	damaged := make([]DamagedRecord, 0, len(bad))
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		damaged = append(damaged, bad[name])
	}
	return append(damaged, changed...)
}
