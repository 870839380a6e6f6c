package chartrepo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/appmarket/operator/internal/volume"
)

// scrubChunkBytes is the number of bytes that a scrub reads at a time.
const scrubChunkBytes = 256 << 10

// Scrub reads the records again and compares every referenced blob with its digest, at
// Options.ScrubPerSecond. A record is dropped if it is damaged, or if its archive is missing
// or altered. If only the reports are, the archive is still served, and Has returns false
// until they are published again. Damaged records are passed to Options.OnDamaged and
// returned.
//
// Blobs that cannot be read for another reason are kept and named in the error: a volume that
// is temporarily unavailable must not empty the repository.
func (s *Store) Scrub(ctx context.Context) ([]DamagedRecord, error) {
	damaged, err := s.Reload()
	if err != nil {
		return damaged, err
	}
	limiter := rate.NewLimiter(rate.Limit(s.options.ScrubPerSecond), max(scrubChunkBytes, s.options.ScrubPerSecond))
	var errs []error
	for _, digest := range s.index.referencedDigests() {
		found, err := s.scrubBlob(ctx, digest, limiter)
		damaged = append(damaged, found...)
		if ctx.Err() != nil {
			return damaged, ctx.Err()
		}
		if err != nil {
			errs = append(errs, volume.StorageError(fmt.Errorf("scrub blob %q: %w", digest, err)))
		}
	}
	return damaged, errors.Join(errs...)
}

func (s *Store) scrubBlob(ctx context.Context, digest string, limiter *rate.Limiter) (damaged []DamagedRecord, err error) {
	file, err := s.files.Open(blobPath(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return s.removeDamaged(digest, nil, err), nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info := file.Info()
	if info.Size > maxBlobBytes {
		return s.removeDamaged(digest, &info, ErrDamaged), nil
	}
	got, err := throttledDigest(ctx, file, limiter)
	if errors.Is(err, fs.ErrNotExist) {
		return s.removeDamaged(digest, nil, err), nil
	}
	if err != nil {
		return nil, err
	}
	if got != digest {
		return s.removeDamaged(digest, &info, ErrDamaged), nil
	}
	s.verified.Store(digest, info)
	return nil, nil
}

func throttledDigest(ctx context.Context, file io.Reader, limiter *rate.Limiter) (string, error) {
	hash := sha256.New()
	for {
		n, err := io.CopyN(hash, file, scrubChunkBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if waitErr := limiter.WaitN(ctx, int(n)); waitErr != nil {
			return "", waitErr
		}
		if err != nil {
			return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
		}
	}
}

// removeDamaged removes a blob that is damaged, or missing if info is nil, and drops and
// reports the records that cannot be served without it. It does nothing if the blob was
// written again in the meantime.
func (s *Store) removeDamaged(digest string, info *FileInfo, cause error) []DamagedRecord {
	damaged := s.dropRecords(digest, info, cause)
	if len(damaged) > 0 {
		s.markDamaged(digest)
	}
	for _, d := range damaged {
		s.options.OnDamaged(d)
	}
	return damaged
}

func (s *Store) dropRecords(digest string, info *FileInfo, cause error) []DamagedRecord {
	s.commit.Lock()
	defer s.commit.Unlock()
	name := blobPath(digest)
	now, err := s.files.Stat(name)
	if errors.Is(err, ErrUnavailable) || err == nil && (info == nil || !info.isSameVersion(now)) {
		return nil
	}
	if err == nil && s.options.CanChange() {
		// A writer that pinned the blob is writing it again.
		_, err := s.index.ifUnreferenced(digest, 0, false, func() error { return s.files.Discard(name) })
		cause = errors.Join(cause, err)
	}
	s.verified.Delete(digest)
	s.cache.removeDigest(digest)
	var damaged []DamagedRecord
	for _, r := range s.index.referencing(digest) {
		problem := cause
		if r.Archive.Digest == digest {
			s.index.removeRecord(r)
			problem = errors.Join(problem, s.removeRecordFile(r.path()))
		}
		damaged = append(damaged, r.toDamagedRecord(name, problem))
	}
	return damaged
}

// removeRecordFile removes the file of a damaged record, unless another process does.
func (s *Store) removeRecordFile(name string) error {
	if !s.options.CanChange() {
		return nil
	}
	return s.files.Remove(name)
}

// SweepResult counts the files that a sweep removed.
type SweepResult struct {
	Files int
	Bytes int64
}

// Sweep removes blobs that no record references, that keep does not select, and that were
// last written, or used by a writer, longer ago than olderThan. It also removes temporary
// files of that age. If keep is nil, it selects none.
func (s *Store) Sweep(ctx context.Context, keep func(digest string) bool, olderThan time.Duration) (SweepResult, error) {
	var swept SweepResult
	var errs []error
	err := s.files.List(blobsFolder, func(file FileInfo) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		removed, err := s.sweepFile(file, keep, olderThan)
		if removed {
			swept.Files++
			swept.Bytes += file.Size
		}
		errs = append(errs, err)
		return nil
	})
	if err := errors.Join(append(errs, err)...); err != nil {
		return swept, volume.StorageError(fmt.Errorf("sweep chart store: %w", err))
	}
	return swept, nil
}

// sweepFile reports whether it removed the file.
func (s *Store) sweepFile(file FileInfo, keep func(string) bool, olderThan time.Duration) (bool, error) {
	if time.Since(file.ModTime) < olderThan {
		return false, nil
	}
	hex, unfinished := strings.CutPrefix(path.Base(file.Name), volume.TemporaryPrefix)
	if unfinished {
		// The rest of the name makes it unique.
		hex = hex[:min(len(hex), 64)]
	}
	digest := "sha256:" + hex
	if !unfinished && (!digestPattern.MatchString(digest) || len(s.index.referencing(digest)) > 0 || keep != nil && keep(digest)) {
		return false, nil
	}
	removed, err := s.index.ifUnreferenced(digest, 0, !unfinished, func() error { return s.files.Discard(file.Name) })
	if !removed || err != nil {
		return false, err
	}
	s.verified.Delete(digest)
	s.cache.removeDigest(digest)
	return true, nil
}
