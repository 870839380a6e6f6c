package uploads

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// errDamaged is the error about content that does not have its digest.
var errDamaged = outcome.Stalled(v1alpha1.ReasonDigestMismatch, errors.New("the content on the volume does not have its digest: upload the chart again"))

// checkBlob reads content of a source, uploaded or incoming, and compares it with its digest. Content
// that is damaged is removed, so that a client that asks for it uploads it again. The error matches
// fs.ErrNotExist if there is no content, and has the reason DigestMismatch if it was removed.
func (s *Store) checkBlob(owner hydrate.Owner, digest string) error {
	err := s.compareBlob(owner, digest)
	if outcome.Reason(err, "") != v1alpha1.ReasonDigestMismatch {
		return err
	}
	defer s.lockCharts(owner.Namespace)()
	for _, name := range []string{blobPath(owner, digest), completePath(owner, digest)} {
		// The file was replaced in the meantime, or another one is opened after the first one was removed.
		if err = s.compareBlob(owner, digest); outcome.Reason(err, "") != v1alpha1.ReasonDigestMismatch {
			break
		}
		if err := s.discardFile(name); err != nil {
			return err
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = errDamaged
	}
	return err
}

// compareBlob compares content with its digest, unless that was done shortly before.
func (s *Store) compareBlob(owner hydrate.Owner, digest string) error {
	if s.isVerified(owner, digest) {
		return nil
	}
	file, _, err := s.OpenBlob(owner, digest)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	hash := sha256.New()
	if err == nil {
		_, err = io.Copy(hash, file)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return toReadError("read upload", err)
	}
	if "sha256:"+hex.EncodeToString(hash.Sum(nil)) != digest {
		s.verified.Remove(file.Name())
		return errDamaged
	}
	s.verified.Add(file.Name(), verifiedFile{info: info, time: s.options.Now()})
	return nil
}

// compareInTurn is compareBlob for requests that upload nothing, whose number is not limited: content that must be
// read waits for its turn.
func (s *Store) compareInTurn(ctx context.Context, owner hydrate.Owner, digest string) error {
	if s.isVerified(owner, digest) {
		return nil
	}
	if err := s.comparisons.Acquire(ctx, owner.Namespace); err != nil {
		return err
	}
	defer s.comparisons.Release(owner.Namespace)
	return s.compareBlob(owner, digest)
}

// HasContent reports whether a source has content with a digest, which is not damaged. It returns false if the
// context ends first.
func (s *Store) HasContent(ctx context.Context, owner hydrate.Owner, digest string) bool {
	err := s.compareInTurn(ctx, owner, digest)
	if outcome.Reason(err, "") == v1alpha1.ReasonDigestMismatch {
		err = s.checkBlob(owner, digest)
	}
	return err == nil
}

// IsComplete reports whether a source has all content of a chart. Otherwise, a client that uploads the chart
// again repairs it. It returns false if the context ends first.
func (s *Store) IsComplete(ctx context.Context, owner hydrate.Owner, c Chart) bool {
	for _, b := range c.blobs() {
		if s.compareInTurn(ctx, owner, b.Digest) != nil {
			return false
		}
	}
	return s.isComplete(owner, c)
}

// isComplete is IsComplete for uploads, whose number is limited.
func (s *Store) isComplete(owner hydrate.Owner, c Chart) bool {
	return !slices.ContainsFunc(c.blobs(), func(b Blob) bool { return !s.isPlaced(owner, b.Digest) })
}

// isPlaced reports whether content is in the folder of a source, where Sweep keeps it, and is not damaged.
func (s *Store) isPlaced(owner hydrate.Owner, digest string) bool {
	if err := s.compareBlob(owner, digest); err != nil {
		return false
	}
	_, err := s.files.Root.Stat(blobPath(owner, digest))
	return err == nil
}

// isArtifactPlaced reports whether the source has all content of a chart except its archive.
func (s *Store) isArtifactPlaced(owner hydrate.Owner, c Chart) bool {
	c.Archive = c.Manifest
	return s.isComplete(owner, c)
}
