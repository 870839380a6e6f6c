package chartrepo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/volume"
)

// Publish writes the archive and the reports, then the record that references them, and
// returns their paths. A digest that was already published for the same version keeps its
// time. Publishing the same content again writes nothing. Report is empty if there are no
// reports.
//
// An inconsistent publication is stalled with DigestMismatch, InvalidChart or LimitExceeded,
// and one that exceeds the limit of its namespace with AllowanceExceeded. An error of the
// storage has the reason StorageFull, StorageReadOnly or StorageFailed and leaves nothing behind;
// previously published versions are still served.
func (s *Store) Publish(ctx context.Context, p hydrate.PublishRequest) (hydrate.Published, error) {
	if err := checkPublication(p); err != nil {
		return hydrate.Published{}, fmt.Errorf("publish chart: %w", err)
	}
	next := &record{
		Format: recordFormat, Namespace: p.Owner.Namespace, Source: p.Owner.Source, App: p.App, Version: p.Version,
		Chart: p.Chart, Archive: blob{Digest: p.Digest, Size: int64(len(p.Archive))},
	}
	contents := [][]byte{p.Archive}
	if len(p.Reports) > 0 {
		packed, err := packReports(p.Reports)
		if err != nil {
			return hydrate.Published{}, fmt.Errorf("publish chart: %w", err)
		}
		next.Reports = &blob{Digest: digestOf(packed), Size: int64(len(packed))}
		contents = append(contents, packed)
	}
	if err := next.validateFields(); err != nil {
		return hydrate.Published{}, outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf("publish chart: %w", err))
	}
	if err := s.checkAllowance(next); err != nil {
		return hydrate.Published{}, fmt.Errorf("publish chart: %w", err)
	}
	if err := s.writePublication(ctx, next, contents); err != nil {
		return hydrate.Published{}, fmt.Errorf("publish chart: %w", err)
	}
	return next.toPublished(), nil
}

// checkPublication returns an error if the parts of a publication are inconsistent.
func checkPublication(p hydrate.PublishRequest) error {
	var metadata struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	if err := json.Unmarshal(p.Chart, &metadata); err != nil {
		return outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf("decode chart: %w", err))
	}
	if metadata.Name != p.App || metadata.Version != p.Version {
		return outcome.Stalled(v1alpha1.ReasonInvalidChart,
			fmt.Errorf("check chart: name and version are %q and %q, expected %q and %q", metadata.Name, metadata.Version, p.App, p.Version))
	}
	if len(p.Chart) > maxChartBytes || len(p.Archive) > chart.MaxArchiveBytes {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded,
			fmt.Errorf("check chart: metadata is larger than %d bytes, or the archive is larger than %d bytes", maxChartBytes, chart.MaxArchiveBytes))
	}
	if got := digestOf(p.Archive); got != p.Digest {
		return outcome.Stalled(v1alpha1.ReasonDigestMismatch, fmt.Errorf("check archive: digest is %q, expected %q", got, p.Digest))
	}
	return nil
}

// blobNames are the names of the blobs of a record, in order.
var blobNames = []string{"archive", "reports"}

// writePublication writes the blobs and the record, and removes the blobs again on failure.
func (s *Store) writePublication(ctx context.Context, next *record, contents [][]byte) (err error) {
	blobs := next.blobs()
	release := s.index.pinBlobs(blobs)
	defer release()
	var written []string
	defer func() {
		if err != nil {
			err = errors.Join(err, s.rollBackBlobs(written))
		}
	}()
	for i, content := range contents {
		if err := ctx.Err(); err != nil {
			return err
		}
		fresh, err := s.writeBlob(blobs[i].Digest, content)
		if err != nil {
			return s.recordWriteResult(next, volume.StorageError(fmt.Errorf("write %s: %w", blobNames[i], err)))
		}
		if fresh {
			written = append(written, blobs[i].Digest)
		}
	}
	return s.commitRecord(next)
}

// writeBlob writes a blob unless the same bytes are already stored. An unreferenced blob may
// be about to be swept, so its modification time is refreshed.
func (s *Store) writeBlob(digest string, content []byte) (fresh bool, err error) {
	same, err := hasContent(s.files, blobPath(digest), content)
	switch {
	case err != nil:
		return false, err
	case !same:
		return true, s.files.Write(blobPath(digest), content)
	case len(s.index.referencing(digest)) == 0:
		return false, s.files.Touch(blobPath(digest), content)
	}
	return false, nil
}

// rollBackBlobs removes the blobs of a failed publication, unless another writer uses them.
func (s *Store) rollBackBlobs(digests []string) error {
	var errs []error
	for _, digest := range digests {
		_, err := s.index.ifUnreferenced(digest, 1, true, func() error { return s.files.Discard(blobPath(digest)) })
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// commitRecord writes the record, which publishes the version.
func (s *Store) commitRecord(next *record) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	next.Created = s.options.Now().UTC().Truncate(time.Second)
	if old := s.index.find(next.owner(), next.App, next.Version); old != nil && old.Archive.Digest == next.Archive.Digest {
		next.Created = old.Created
	}
	if other := s.index.findByFile(next.owner(), next.fileName()); other != nil && other.App != next.App {
		return outcome.Stalled(v1alpha1.ReasonInvalidChart,
			fmt.Errorf("check archive name: %q is already the archive of app %q", next.fileName(), other.App))
	}
	data, err := next.encode()
	if err != nil {
		return outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf("encode record: %w", err))
	}
	kept, err := decodeRecord(next.path(), data)
	if err != nil {
		return outcome.Stalled(v1alpha1.ReasonInvalidChart, err)
	}
	// A scrub may have removed a blob in the meantime.
	for _, b := range kept.blobs() {
		if _, err := s.files.Stat(blobPath(b.Digest)); err != nil {
			return s.recordWriteResult(kept, volume.StorageError(fmt.Errorf("find blob: %w", err)))
		}
	}
	if err := s.writeRecord(kept, data); err != nil {
		return s.recordWriteResult(kept, volume.StorageError(fmt.Errorf("write record: %w", err)))
	}
	if old := s.index.find(kept.owner(), kept.App, kept.Version); old == nil || old.sum != kept.sum {
		s.index.put(kept)
	}
	return nil
}

func (s *Store) writeRecord(r *record, data []byte) error {
	same, err := hasContent(s.files, r.path(), data)
	if err != nil || same {
		return err
	}
	if err := s.files.Write(r.path(), data); err != nil {
		return err
	}
	return s.recordWriteResult(r, nil)
}

// recordWriteResult records the result of writing a publication, and returns it.
func (s *Store) recordWriteResult(r *record, err error) error {
	var size int64
	for _, b := range r.blobs() {
		size += b.Size
	}
	return s.failures.recordResult(appKey{r.owner(), r.App}, size, err)
}

// Remove removes the versions of an app from the repository, except keepVersions. The blobs
// stay until a Sweep, so that an installation in progress can still read them.
func (s *Store) Remove(owner hydrate.Owner, app string, keepVersions ...string) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	var errs []error
	for _, r := range s.index.versionsOf(owner, app) {
		if slices.Contains(keepVersions, r.Version) {
			continue
		}
		if err := s.files.Remove(r.path()); err != nil {
			errs = append(errs, volume.StorageError(fmt.Errorf("remove chart %q: %w", r.fileName(), err)))
			continue
		}
		s.index.removeRecord(r)
	}
	return errors.Join(errs...)
}
