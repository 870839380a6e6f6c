// Package volume writes files to a folder on a volume so that a crash leaves each file either with
// its old or with its new content.
//
// A file is written under a temporary name that starts with TemporaryPrefix, flushed, renamed, and
// its folder is flushed. When a write returns without an error, the file survives a crash of the
// machine. Paths have forward slashes and cannot leave the folder, not even through a symbolic
// link. Errors contain no paths, which differ for each attempt.
package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"

	"github.com/google/renameio/v2"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	folderMode = 0o755
	fileMode   = 0o644
	// TemporaryPrefix starts the name of each file that is not yet in place; renameio adds it.
	TemporaryPrefix = "."
)

// Folder is a folder on a volume. It is safe for concurrent use.
type Folder struct {
	Root *os.Root
	// makingFolder serializes the creation of folders, so that no writer takes a folder for
	// flushed that is not.
	makingFolder sync.Mutex
}

// Open opens a folder, which must exist.
func Open(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{Root: root}, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.Root.Close() }

// MakeFolder creates a folder and its parents, each of them flushed to disk.
func (f *Folder) MakeFolder(name string) error {
	if !fs.ValidPath(name) {
		return fmt.Errorf("make folder: %w", fs.ErrInvalid)
	}
	f.makingFolder.Lock()
	defer f.makingFolder.Unlock()
	return f.makeFolderLocked(name)
}

func (f *Folder) makeFolderLocked(name string) error {
	if name == "." {
		return nil
	}
	if info, err := f.Root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	if err := f.makeFolderLocked(path.Dir(name)); err != nil {
		return err
	}
	if err := f.Root.Mkdir(name, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.SyncFolder(path.Dir(name))
}

// SyncFolder flushes the entries of a folder to disk.
func (f *Folder) SyncFolder(name string) error {
	dir, err := f.Root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// PruneFolders removes a folder and its parents below another folder as long as they are empty.
// A folder that gets a file in the meantime stays.
func (f *Folder) PruneFolders(name, below string) {
	f.makingFolder.Lock()
	defer f.makingFolder.Unlock()
	for name != below && name != "." && f.Root.Remove(name) == nil {
		name = path.Dir(name)
	}
}

// WriteFile writes a file atomically and durably. On failure, the previous content stays.
func (f *Folder) WriteFile(name string, data []byte) error {
	return WithoutPath(f.replaceFile(name, data))
}

func (f *Folder) replaceFile(name string, data []byte) (err error) {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	if err := f.MakeFolder(dir); err != nil {
		return err
	}
	// renameio creates its temporary file at the top of the root that it is given.
	within, err := f.Root.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, within.Close()) }()
	pending, err := renameio.NewPendingFile(base, renameio.WithRoot(within), renameio.WithPermissions(fileMode))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pending.Cleanup()) }()
	if _, err := pending.Write(data); err != nil {
		return err
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return f.SyncFolder(dir)
}

// RemoveFile removes a file if it exists, durably.
func (f *Folder) RemoveFile(name string) error {
	err := f.Root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.SyncFolder(path.Dir(name))
}

// StorageError adds the condition reason to an error of the file system.
func StorageError(err error) error {
	reason := v1alpha1.ReasonStorageFailed
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		reason = v1alpha1.ReasonStorageFull
	case IsReadOnlyError(err):
		reason = v1alpha1.ReasonStorageReadOnly
	}
	return outcome.Failed(reason, err)
}

// WithoutPath returns the cause of a file error. Paths contain random numbers and digests,
// which differ for each attempt.
func WithoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

// IsReadOnlyError reports whether an error means that the volume cannot be written.
func IsReadOnlyError(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}
