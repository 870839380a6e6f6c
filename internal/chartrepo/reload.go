package chartrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/volume"
)

// Reload reads the records from disk again, so that versions published by another process are
// served and removed ones are not. It drops and reports damaged records as Open does, and
// returns them.
func (s *Store) Reload() ([]DamagedRecord, error) {
	damaged, err := s.reloadRecords()
	for _, d := range damaged {
		s.options.OnDamaged(d)
	}
	return damaged, err
}

func (s *Store) reloadRecords() ([]DamagedRecord, error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	// The folders are missing if the volume was wiped.
	if err := s.files.makeRootFolders(); err != nil {
		return nil, volume.StorageError(fmt.Errorf("read records: %w", err))
	}
	found := map[string]*record{}
	bad := map[string]DamagedRecord{}
	err := fs.WalkDir(s.files.Root.FS(), recordsFolder, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || strings.HasPrefix(d.Name(), volume.TemporaryPrefix) {
			return nil
		}
		r, problem := s.readRecord(name, d)
		if problem != nil {
			bad[name] = s.discardRecord(name, problem)
			return nil
		}
		found[name] = r
		return nil
	})
	if err != nil {
		return nil, volume.StorageError(fmt.Errorf("read records: %w", err))
	}
	return s.reconcileIndex(found, bad), nil
}

// readRecord reads one record and checks that its archive exists. Missing reports do not
// prevent an archive from being served; Has detects them.
func (s *Store) readRecord(name string, d fs.DirEntry) (*record, error) {
	info, err := d.Info()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxRecordBytes {
		return nil, fmt.Errorf("read record: not a regular file of at most %d bytes", maxRecordBytes)
	}
	data, err := s.files.Root.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r, err := decodeRecord(name, data)
	if err != nil {
		return nil, err
	}
	archive, err := s.files.Root.Stat(blobPath(r.Archive.Digest))
	if err != nil {
		return nil, fmt.Errorf("find archive: %w", err)
	}
	if archive.Size() != r.Archive.Size {
		return nil, fmt.Errorf("check archive: size is %d bytes, expected %d", archive.Size(), r.Archive.Size)
	}
	return r, nil
}

// discardRecord removes a record that cannot be served, and returns its owner, app and
// version as far as the path contains them.
func (s *Store) discardRecord(name string, problem error) DamagedRecord {
	d := DamagedRecord{Path: name, Err: errors.Join(problem, s.files.RemoveFile(name))}
	if parts := strings.Split(strings.TrimSuffix(name, ".json"), "/"); len(parts) == 5 {
		d.Owner.Namespace, d.Owner.Source, d.App, d.Version = parts[1], parts[2], parts[3], parts[4]
	}
	return d
}

// reconcileIndex makes the index in memory match the records found on disk. Unchanged records
// are kept. Records that were not found are added to the damaged ones.
func (s *Store) reconcileIndex(found map[string]*record, bad map[string]DamagedRecord) []DamagedRecord {
	for _, old := range s.index.allRecords() {
		name := old.path()
		if next := found[name]; next != nil {
			if next.sum == old.sum {
				delete(found, name)
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
	return damaged
}
