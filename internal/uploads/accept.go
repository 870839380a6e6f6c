package uploads

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/volume"
)

// ErrConflict is the error if a version exists with other content.
var ErrConflict = errors.New("conflict")

// ErrUnknownContent is the error if a manifest refers to content that was not uploaded.
var ErrUnknownContent = errors.New("the manifest refers to content that was not uploaded")

// Expectation is what an archive must contain. An empty field has no effect.
type Expectation struct {
	App, Version string
	// File is the name of the archive.
	File string
}

// AcceptArchive adds the chart in an archive that was received. It reports whether the chart is new:
// an archive that is already a chart of the source changes nothing, or replaces content that was lost.
func (s *Store) AcceptArchive(ctx context.Context, owner hydrate.Owner, limits Limits, digest string, want Expectation) (Chart, bool, error) {
	meta, size, err := s.readChart(ctx, owner, digest, want)
	if err != nil {
		return Chart{}, false, err
	}
	old, findErr := s.Find(owner, meta.Name, meta.Version)
	isKnown := findErr == nil && old.Archive.Digest == digest
	if isKnown && s.isComplete(owner, old) {
		return old, false, nil
	}
	made, config, err := newArtifact(meta, Blob{Digest: digest, Size: size})
	if err != nil {
		return Chart{}, false, err
	}
	next := newChart(meta, made)
	if isKnown && s.isArtifactPlaced(owner, old) {
		next = old // Only the archive was lost. The manifest that was pushed can have a signature.
	}
	isNew, err := s.commitChart(owner, limits, &next, map[string][]byte{made.config.Digest: config, DigestOf(made.manifest): made.manifest})
	return next, isNew, err
}

// AcceptManifest adds the chart of a manifest whose content was received. It reports whether the
// chart is new: a manifest with an archive that is already a chart of the source only replaces the
// manifest.
func (s *Store) AcceptManifest(ctx context.Context, owner hydrate.Owner, limits Limits, manifest []byte, want Expectation) (Chart, bool, error) {
	pushed, err := parseManifest(manifest)
	if err != nil {
		return Chart{}, false, err
	}
	for _, part := range []*Blob{pushed.archive, pushed.config, pushed.provenance} {
		if err := s.checkPart(owner, part); err != nil {
			return Chart{}, false, err
		}
	}
	meta, _, err := s.readChart(ctx, owner, pushed.archive.Digest, want)
	if err != nil {
		return Chart{}, false, err
	}
	next := newChart(meta, pushed)
	isNew, err := s.commitChart(owner, limits, &next, map[string][]byte{next.Manifest.Digest: manifest})
	return next, isNew, err
}

// checkPart returns an error if content does not exist, or has another size than described.
func (s *Store) checkPart(owner hydrate.Owner, part *Blob) error {
	if part == nil {
		return nil
	}
	file, found, err := s.OpenBlob(owner, part.Digest)
	if errors.Is(err, fs.ErrNotExist) || err == nil && found.Size != part.Size {
		err = ErrUnknownContent
	}
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	return err
}

// readChart has a worker read an archive, and compares it with what is expected.
func (s *Store) readChart(ctx context.Context, owner hydrate.Owner, digest string, want Expectation) (chart.Metadata, int64, error) {
	if err := s.checks.Acquire(ctx, owner.Namespace); err != nil {
		return chart.Metadata{}, 0, err
	}
	defer s.checks.Release(owner.Namespace)
	archive, err := s.readBlob(owner, digest)
	if err != nil {
		return chart.Metadata{}, 0, err
	}
	meta, err := s.options.Reader.ReadMetadata(ctx, owner.Namespace, archive)
	if err != nil {
		return meta, 0, err
	}
	if err := checkNames(meta.Name, meta.Version); err != nil {
		return meta, 0, err
	}
	got := Chart{App: meta.Name, Version: meta.Version}
	for _, field := range []struct{ what, got, want string }{
		{"name", got.App, want.App}, {"version", got.Version, want.Version}, {"file name", got.FileName(), want.File},
	} {
		if field.want != "" && field.got != field.want {
			return meta, 0, outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf(
				"the chart in the archive has the %s %q, not %q", field.what, field.got, text.Truncate(field.want, maxNameBytes+maxVersionBytes)))
		}
	}
	return meta, int64(len(archive)), nil
}

func newChart(meta chart.Metadata, made artifact) Chart {
	return Chart{
		App: meta.Name, Version: meta.Version, AppVersion: text.Truncate(meta.AppVersion, maxAppVersionBytes), Deprecated: meta.Deprecated,
		Archive: *made.archive, Config: *made.config, Provenance: made.provenance,
		Manifest: Blob{Digest: DigestOf(made.manifest), Size: int64(len(made.manifest))},
	}
}

// commitChart checks the limits, puts the content of a chart into place, and writes its record.
// It sets the time of the chart.
func (s *Store) commitChart(owner hydrate.Owner, limits Limits, next *Chart, contents map[string][]byte) (isNew bool, err error) {
	defer s.lockCharts(owner.Namespace)()
	next.Created = s.options.Now().UTC().Truncate(time.Second)
	old, isNew, err := s.checkConflict(owner, limits, next)
	if err != nil {
		return false, err
	}
	if err := s.checkQuota(owner, limits, next, old); err != nil {
		return false, err
	}
	for _, b := range next.blobs() {
		if err := s.placeBlob(owner, b.Digest, contents[b.Digest]); err != nil {
			return false, err
		}
	}
	data, err := encodeChart(*next)
	if err != nil {
		return false, err
	}
	if old == nil {
		err = s.files.CreateFile(recordPath(owner, next.App, next.Version), data)
	} else {
		err = s.files.WriteFile(recordPath(owner, next.App, next.Version), data)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return false, conflictError(owner, next)
	case err != nil:
		return false, volume.StorageError(fmt.Errorf("write record: %w", err))
	case old != nil:
		// The chart is replaced, so that a failure only leaves content for Sweep.
		_ = s.removeUnreferenced(owner, old.blobs(), 0)
	}
	return isNew, nil
}

// checkConflict returns the record that a chart replaces, nil if there is none.
func (s *Store) checkConflict(owner hydrate.Owner, limits Limits, next *Chart) (old *Chart, isNew bool, err error) {
	found, err := s.FindFile(owner, next.FileName())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, true, nil
	case outcome.Reason(err, "") == v1alpha1.ReasonInvalidChart:
		return &Chart{}, true, nil // A damaged record is replaced.
	case err != nil:
		return nil, false, err
	case found.App != next.App:
		return nil, false, fmt.Errorf("%w: %s is already the archive of chart %q version %q", ErrConflict, next.FileName(), found.App, found.Version)
	case found.Archive.Digest == next.Archive.Digest:
		next.Created = s.creationTime(owner, found, next.Created)
		return &found, false, nil
	case !limits.AllowOverwrite:
		return nil, false, conflictError(owner, next)
	}
	return &found, true, nil
}

// creationTime returns the time of a chart that is uploaded again. It is a new one if the archive was lost, so that the
// source offers a change, and the app is hydrated.
func (s *Store) creationTime(owner hydrate.Owner, found Chart, now time.Time) time.Time {
	if s.isPlaced(owner, found.Archive.Digest) {
		return found.Created
	}
	if now.After(found.Created) {
		return now
	}
	return found.Created.Add(time.Second)
}

func conflictError(owner hydrate.Owner, next *Chart) error {
	return fmt.Errorf("%w: source %q already has chart %q version %q with another content: upload it as another version, or set spec.upload.allowOverwrite",
		ErrConflict, owner.Source, next.App, next.Version)
}

// placeBlob puts content that was received, or that is given, into the folder of the source. Content that
// is damaged is replaced.
func (s *Store) placeBlob(owner hydrate.Owner, digest string, given []byte) error {
	name := blobPath(owner, digest)
	now := s.options.Now()
	if err := s.files.Root.Chtimes(name, now, now); err == nil {
		err := s.compareBlob(owner, digest)
		if outcome.Reason(err, "") != v1alpha1.ReasonDigestMismatch {
			return err // Sweep does not remove it before the record is written.
		}
	}
	if given != nil {
		if err := s.files.WriteFile(name, given); err != nil {
			return volume.StorageError(fmt.Errorf("write upload: %w", err))
		}
		return nil
	}
	err := s.files.MakeFolder(blobsFolder(owner))
	if err == nil {
		err = s.files.Root.Rename(completePath(owner, digest), name)
	}
	if err == nil {
		err = errors.Join(s.files.Root.Chtimes(name, now, now), s.files.SyncFolder(blobsFolder(owner)))
	}
	if err != nil {
		return toReadError("write upload", err)
	}
	return nil
}
