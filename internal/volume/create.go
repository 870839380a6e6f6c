package volume

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path"
	"syscall"
)

// CreateFile writes a file atomically and durably, unless it exists. The error then matches
// fs.ErrExist. Of several processes that create the same file, one succeeds.
func (f *Folder) CreateFile(name string, data []byte) error {
	dir, base := path.Split(name)
	temporary := path.Join(dir, TemporaryPrefix+base+"."+rand.Text())
	if err := f.WriteFile(temporary, data); err != nil {
		return err
	}
	err := f.linkFile(temporary, name)
	return errors.Join(err, WithoutPath(f.RemoveFile(temporary)))
}

// linkFile gives a file a second name, unless another file has it.
func (f *Folder) linkFile(from, to string) error {
	err := f.Root.Link(from, to)
	if !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.ENOTSUP) {
		return WithoutPath(err)
	}
	// Some network file systems have no links. A rename replaces an existing file, so two
	// processes could both succeed there, but not two goroutines of one caller that locks.
	if _, err := f.Root.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return WithoutPath(f.Root.Rename(from, to))
}
