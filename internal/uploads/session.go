package uploads

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/volume"
)

// sessionPattern is the form of the identifier of a session.
var sessionPattern = regexp.MustCompile(`^[A-Za-z0-9]{26,64}$`)

// Session is content that is being received. It must be closed, which keeps what was received: the
// next session with the same identifier resumes it.
type Session struct {
	store *Store
	owner hydrate.Owner
	path  string
	file  *os.File
	abort func()
	done  chan struct{}
}

// NewSessionID returns the identifier of a new session.
func NewSessionID() string { return rand.Text() }

// SessionIDFor returns the identifier of the session for content with a digest, so that a client
// that knows the digest can resume the session.
func SessionIDFor(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

// StartSession starts or resumes a session. A session in progress with the same identifier ends
// first: abort must make its Receive return.
func (s *Store) StartSession(ctx context.Context, owner hydrate.Owner, id string, abort func()) (*Session, error) {
	if !sessionPattern.MatchString(id) || CheckOwner(owner) != nil {
		return nil, fs.ErrNotExist
	}
	next := &Session{
		store: s, owner: owner, path: path.Join(incomingPath(owner), partialPrefix+id), abort: abort, done: make(chan struct{}),
	}
	if err := s.takePlace(ctx, next); err != nil {
		return nil, err
	}
	if err := s.openPartial(next); err != nil {
		next.leavePlace()
		return nil, err
	}
	return next, nil
}

// ResumeSession is StartSession for a session that must exist.
func (s *Store) ResumeSession(ctx context.Context, owner hydrate.Owner, id string, abort func()) (*Session, error) {
	if _, err := s.files.Root.Lstat(path.Join(incomingPath(owner), partialPrefix+id)); err != nil {
		return nil, fs.ErrNotExist
	}
	return s.StartSession(ctx, owner, id, abort)
}

// takePlace makes a session the only one with its path.
func (s *Store) takePlace(ctx context.Context, next *Session) error {
	for {
		s.mu.Lock()
		current := s.sessions[next.path]
		if current == nil {
			s.sessions[next.path] = next
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		current.abort()
		select {
		case <-current.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (u *Session) leavePlace() {
	u.store.mu.Lock()
	delete(u.store.sessions, u.path)
	u.store.mu.Unlock()
	close(u.done)
}

func (s *Store) openPartial(u *Session) error {
	if err := s.makeRoom(u); err != nil {
		return err
	}
	if err := s.files.MakeFolder(path.Dir(u.path)); err != nil {
		return volume.StorageError(fmt.Errorf("receive upload: %w", volume.WithoutPath(err)))
	}
	file, err := s.files.Root.OpenFile(u.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return volume.StorageError(fmt.Errorf("receive upload: %w", volume.WithoutPath(err)))
	}
	u.file = file
	return nil
}

// discardFile removes a file if it exists. It may reappear after a crash.
func (s *Store) discardFile(name string) error {
	if err := s.files.Root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return volume.StorageError(fmt.Errorf("remove upload: %w", volume.WithoutPath(err)))
	}
	return nil
}

// Offset returns the number of bytes that have been received.
func (u *Session) Offset() (int64, error) {
	info, err := u.file.Stat()
	if err != nil {
		return 0, volume.StorageError(fmt.Errorf("receive upload: %w", volume.WithoutPath(err)))
	}
	return info.Size(), nil
}

// Restart discards what was received.
func (u *Session) Restart() error {
	if err := u.file.Truncate(0); err != nil {
		return volume.StorageError(fmt.Errorf("receive upload: %w", volume.WithoutPath(err)))
	}
	return nil
}

// readError marks an error of the sender, as opposed to one of the volume.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

// IsReadError reports whether an upload failed because the client stopped sending.
func IsReadError(err error) bool {
	_, ok := errors.AsType[readError](err)
	return ok
}

type markingReader struct{ from io.Reader }

func (r markingReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = readError{err}
	}
	return n, err
}

// Receive appends content. If the content exceeds chart.MaxArchiveBytes in total, or the volume
// cannot be written, what was received is discarded.
func (u *Session) Receive(from io.Reader) error {
	offset, err := u.Offset()
	if err != nil {
		return err
	}
	_, err = io.Copy(u.file, io.LimitReader(markingReader{from}, chart.MaxArchiveBytes-offset+1))
	if err != nil && !IsReadError(err) {
		return errors.Join(volume.StorageError(fmt.Errorf("receive upload: %w", volume.WithoutPath(err))), u.Restart())
	}
	if offset, failure := u.Offset(); failure != nil || offset > chart.MaxArchiveBytes {
		return errors.Join(failure, tooLargeError(), u.Restart())
	}
	return err
}

func tooLargeError() error {
	return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("the content has more than %d bytes", chart.MaxArchiveBytes))
}

// Complete ends a session whose content has a digest. Content with another digest is discarded. If
// the digest is empty, Complete accepts any content. It returns the content.
func (u *Session) Complete(digest string) (Blob, error) {
	hash := sha256.New()
	size, err := io.Copy(hash, io.NewSectionReader(u.file, 0, chart.MaxArchiveBytes+1))
	if err == nil {
		err = u.file.Sync()
	}
	if err != nil {
		return Blob{}, volume.StorageError(fmt.Errorf("receive upload: %w", volume.WithoutPath(err)))
	}
	got := Blob{Digest: "sha256:" + hex.EncodeToString(hash.Sum(nil)), Size: size}
	if digest != "" && got.Digest != digest {
		return Blob{}, errors.Join(outcome.Stalled(v1alpha1.ReasonDigestMismatch, fmt.Errorf(
			"the content does not have the digest %s", digest)), u.store.discardFile(u.path))
	}
	if err := u.store.files.Root.Rename(u.path, completePath(u.owner, got.Digest)); err != nil {
		return Blob{}, volume.StorageError(fmt.Errorf("receive upload: %w", volume.WithoutPath(err)))
	}
	return got, nil
}

// Discard removes what was received. The session must still be closed.
func (u *Session) Discard() error { return u.store.discardFile(u.path) }

// Close ends the session and keeps what was received.
func (u *Session) Close() error {
	defer u.leavePlace()
	return u.file.Close()
}
