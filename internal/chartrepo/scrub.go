package chartrepo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// scrubChunk is how much a scrub reads at once.
const scrubChunkBytes = 256 << 10

// Scrub reads the records again and compares every blob that they name with its
// digest, at Options.ScrubPerSecond. A record that is damaged, or whose archive
// is missing or altered, is dropped. Where only the reports are, the archive is
// still served, and Has says no until they are published again. Each is reported
// to Options.Damaged and returned.
//
// Blobs that cannot be read for another reason are left alone and named in the
// error: a volume that is away for a moment must not empty the repository.
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
			errs = append(errs, storageError(fmt.Errorf("scrub blob %q: %w", digest, err)))
		}
	}
	return damaged, errors.Join(errs...)
}

func (s *Store) scrubBlob(ctx context.Context, digest string, limiter *rate.Limiter) (damaged []DamagedRecord, err error) {
	file, err := s.files.root.Open(blobPath(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return s.removeDamaged(digest, nil, err), nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	got, err := throttledDigest(ctx, file, limiter)
	if err != nil {
		return nil, err
	}
	if got != digest {
		return s.removeDamaged(digest, info, ErrDamaged), nil
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

// condemn removes a blob that was found damaged, or missing if info is nil, and
// drops and reports the records that cannot be served without it. It does
// nothing if the blob was written again meanwhile.
func (s *Store) removeDamaged(digest string, info os.FileInfo, cause error) []DamagedRecord {
	damaged := s.dropRecords(digest, info, cause)
	for _, d := range damaged {
		s.options.OnDamaged(d)
	}
	return damaged
}

func (s *Store) dropRecords(digest string, info os.FileInfo, cause error) []DamagedRecord {
	s.commit.Lock()
	defer s.commit.Unlock()
	name := blobPath(digest)
	now, err := s.files.root.Stat(name)
	if err == nil && (info == nil || !sameFile(info, now)) {
		return nil
	}
	if err == nil {
		// A writer that pinned it is writing it anew.
		_, err := s.index.ifUnreferenced(digest, 0, false, func() error { return s.files.discardFile(name) })
		cause = errors.Join(cause, err)
	}
	s.verified.Delete(digest)
	s.cache.removeDigest(digest)
	var damaged []DamagedRecord
	for _, r := range s.index.referencing(digest) {
		problem := cause
		if r.Archive.Digest == digest {
			s.index.removeRecord(r)
			problem = errors.Join(problem, s.files.removeFile(r.path()))
		}
		damaged = append(damaged, r.toDamagedRecord(name, problem))
	}
	return damaged
}

// Swept counts what a sweep removed.
type SweepResult struct {
	Files int
	Bytes int64
}

// Sweep removes the blobs that no record names, that keep does not ask for, and
// that were written, or looked for by a writer, longer ago than olderThan. It
// also removes temporary files of that age. A nil keep asks for nothing.
func (s *Store) Sweep(ctx context.Context, keep func(digest string) bool, olderThan time.Duration) (SweepResult, error) {
	var swept SweepResult
	var errs []error
	err := fs.WalkDir(s.files.root.FS(), blobsFolder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		size, err := s.sweepFile(name, d, keep, olderThan)
		if size >= 0 {
			swept.Files++
			swept.Bytes += size
		}
		errs = append(errs, err)
		return nil
	})
	if err := errors.Join(append(errs, err)...); err != nil {
		return swept, storageError(fmt.Errorf("sweep chart store: %w", err))
	}
	return swept, nil
}

// sweepFile returns the size of the file it removed, -1 if it left it.
func (s *Store) sweepFile(name string, d fs.DirEntry, keep func(string) bool, olderThan time.Duration) (int64, error) {
	info, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil || time.Since(info.ModTime()) < olderThan {
		return -1, err
	}
	hex, unfinished := strings.CutPrefix(d.Name(), temporaryPrefix)
	if unfinished {
		// What follows the digest makes the name of the file unique.
		hex = hex[:min(len(hex), 64)]
	}
	digest := "sha256:" + hex
	if !unfinished && (!digestPattern.MatchString(digest) || len(s.index.referencing(digest)) > 0 || keep != nil && keep(digest)) {
		return -1, nil
	}
	removed, err := s.index.ifUnreferenced(digest, 0, !unfinished, func() error { return s.files.discardFile(name) })
	if !removed || err != nil {
		return -1, err
	}
	s.verified.Delete(digest)
	s.cache.removeDigest(digest)
	return info.Size(), nil
}
