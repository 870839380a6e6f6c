package uploads

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/volume"
)

// Damaged is a version whose record cannot be read.
type Damaged struct {
	App string
	Err error
}

// List returns the charts of a source, sorted by app and version, and the damaged ones. The error
// matches fs.ErrNotExist if the volume has no folder of the source: nothing was ever uploaded, or
// the volume is another one.
func (s *Store) List(owner hydrate.Owner) ([]Chart, []Damaged, error) {
	if CheckOwner(owner) != nil {
		return nil, nil, fs.ErrNotExist
	}
	if _, err := s.files.Root.Stat(recordsFolder(owner)); err != nil {
		return nil, nil, toReadError("list uploads", err)
	}
	apps, err := s.readFolder(recordsFolder(owner))
	if err != nil {
		return nil, nil, err
	}
	var charts []Chart
	var damaged []Damaged
	for _, app := range apps {
		versions, err := s.readFolder(path.Join(recordsFolder(owner), app.Name()))
		if err != nil {
			return nil, nil, err
		}
		for _, entry := range versions {
			version, isRecord := strings.CutSuffix(entry.Name(), recordSuffix)
			if !isRecord || strings.HasPrefix(entry.Name(), volume.TemporaryPrefix) {
				continue
			}
			found, err := s.Find(owner, app.Name(), version)
			switch {
			case errors.Is(err, fs.ErrNotExist): // It was deleted in the meantime.
			case err != nil:
				damaged = append(damaged, Damaged{App: app.Name(), Err: err})
			default:
				charts = append(charts, found)
			}
		}
	}
	slices.SortFunc(charts, func(a, b Chart) int { return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Version, b.Version)) })
	return charts, damaged, nil
}

// toReadError returns an error of reading that matches fs.ErrNotExist if the file does not exist.
func toReadError(what string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", what, fs.ErrNotExist)
	}
	return volume.StorageError(fmt.Errorf("%s: %w", what, volume.WithoutPath(err)))
}

// Find returns one version. The error matches fs.ErrNotExist if it was not uploaded.
func (s *Store) Find(owner hydrate.Owner, app, version string) (Chart, error) {
	if CheckOwner(owner) != nil || checkNames(app, version) != nil {
		return Chart{}, fs.ErrNotExist
	}
	file, err := s.files.Root.Open(recordPath(owner, app, version))
	if err != nil {
		return Chart{}, toReadError("read record", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxRecordBytes))
	if err := errors.Join(err, file.Close()); err != nil {
		return Chart{}, toReadError("read record", err)
	}
	found, err := decodeChart(app, version, data)
	if err != nil {
		return Chart{}, outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf("version %q is damaged on the volume: upload it again: %w", version, err))
	}
	return found, nil
}

// FindFile returns the version whose archive has a file name.
func (s *Store) FindFile(owner hydrate.Owner, file string) (Chart, error) {
	for _, candidate := range splitFileName(file) {
		found, err := s.Find(owner, candidate.App, candidate.Version)
		if !errors.Is(err, fs.ErrNotExist) {
			return found, err
		}
	}
	return Chart{}, fs.ErrNotExist
}

// IsFileName reports whether an archive can have a file name.
func IsFileName(file string) bool { return len(splitFileName(file)) > 0 }

// Archive returns the archive of a chart by its digest. The bytes match the digest. If the archive was lost, and was
// uploaded again shortly before, the incoming content is kept instead.
func (s *Store) Archive(owner hydrate.Owner, digest string) ([]byte, error) {
	archive, err := s.readBlob(owner, digest)
	if err != nil || s.isPlaced(owner, digest) {
		return archive, err
	}
	defer s.lockCharts(owner.Namespace)()
	return archive, s.placeBlob(owner, digest, nil)
}

// OpenBlob opens content of a source, uploaded or incoming. The caller must close it.
func (s *Store) OpenBlob(owner hydrate.Owner, digest string) (*os.File, Blob, error) {
	if CheckOwner(owner) != nil || !digestPattern.MatchString(digest) {
		return nil, Blob{}, fs.ErrNotExist
	}
	file, err := s.files.Root.Open(blobPath(owner, digest))
	if errors.Is(err, fs.ErrNotExist) {
		file, err = s.files.Root.Open(completePath(owner, digest))
	}
	if err != nil {
		return nil, Blob{}, toReadError("read upload", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, Blob{}, errors.Join(toReadError("read upload", err), file.Close())
	}
	return file, Blob{Digest: digest, Size: info.Size()}, nil
}

// readBlob returns content, compared with its digest. Content that is damaged is removed.
func (s *Store) readBlob(owner hydrate.Owner, digest string) ([]byte, error) {
	data, err := s.readContent(owner, digest)
	if outcome.Reason(err, "") != v1alpha1.ReasonDigestMismatch {
		return data, err
	}
	if err := s.checkBlob(owner, digest); err != nil {
		return nil, err
	}
	return s.readContent(owner, digest)
}

// readContent reads content, and compares it with its digest.
func (s *Store) readContent(owner hydrate.Owner, digest string) ([]byte, error) {
	file, _, err := s.OpenBlob(owner, digest)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, chart.MaxArchiveBytes+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, toReadError("read upload", err)
	}
	if DigestOf(data) != digest {
		s.verified.Remove(file.Name()) // It was damaged after it was compared.
		return nil, errDamaged
	}
	return data, nil
}
