package chartrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/time/rate"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/appmarket/operator/internal/volume"
)

const (
	// markedFolder contains a file for each file that a process that must not change files has found to be
	// damaged or missing. The process that may change files checks them, and removes the marks.
	markedFolder = "damaged"
	// maxMarks is the maximum number of marks that are checked at a time.
	maxMarks = 1000
	// markInterval is the minimum time between two marks of one file by one process.
	markInterval = time.Minute
)

// errEnoughMarks ends a list of marks.
var errEnoughMarks = errors.New("enough marks")

// markDamaged marks the file with a digest if this process must not change files. Without a mark, the file is found
// by the next scrub.
func (s *Store) markDamaged(digest string) {
	if s.options.CanChange() {
		return
	}
	now := time.Now()
	if last, ok := s.marked.Load(digest); ok && now.Sub(last.(time.Time)) < markInterval {
		return
	}
	s.marked.Store(digest, now)
	if err := s.files.Mark(path.Join(markedFolder, strings.TrimPrefix(digest, "sha256:"))); err != nil {
		log.Log.WithName("store").Error(err, "Cannot mark a damaged file for the leader", "digest", digest)
	}
}

// CheckMarked compares the files that other processes have found to be damaged with their digests, as Scrub does,
// and removes the marks. A file that cannot be read is checked again by the next call. It does nothing in a process
// that must not change files.
func (s *Store) CheckMarked(ctx context.Context) (damaged []DamagedRecord, err error) {
	if !s.options.CanChange() {
		return nil, nil
	}
	var marks []string
	err = s.files.List(markedFolder, func(file FileInfo) error {
		if len(marks) == maxMarks {
			return errEnoughMarks
		}
		marks = append(marks, file.Name)
		return nil
	})
	if err != nil && !errors.Is(err, errEnoughMarks) && !errors.Is(err, fs.ErrNotExist) {
		return nil, volume.StorageError(fmt.Errorf("list marks of damaged files: %w", err))
	}
	limiter := rate.NewLimiter(rate.Limit(s.options.ScrubPerSecond), max(scrubChunkBytes, s.options.ScrubPerSecond))
	var errs []error
	for _, name := range marks {
		digest := "sha256:" + path.Base(name)
		var found []DamagedRecord
		// Anything that can write to the bucket can write a mark: only content that a record refers to is read.
		if digestPattern.MatchString(digest) && len(s.index.referencing(digest)) > 0 {
			found, err = s.scrubBlob(ctx, digest, limiter)
			damaged = append(damaged, found...)
			if err != nil {
				errs = append(errs, fmt.Errorf("check marked file %q: %w", digest, err))
				continue
			}
		}
		errs = append(errs, s.files.Discard(name))
	}
	if err := errors.Join(errs...); err != nil {
		return damaged, volume.StorageError(err)
	}
	return damaged, nil
}
