package chartrepo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	recordsFolder = "records"
	blobsFolder   = "blobs/sha256"
	folderMode    = 0o755
	fileMode      = 0o644
	// temporary begins the name of every file that is not yet in place; renameio
	// puts it there.
	temporary = "."
)

// digestForm is the only form of a digest that becomes a path.
var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// blobPath is where the blob of a digest of digestForm is kept.
func blobPath(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return path.Join(blobsFolder, hex[:2], hex)
}

// folder is the disk below a store. Paths have forward slashes and cannot leave
// the root, not even through a link.
type folder struct {
	root *os.Root
	// making keeps two writers from taking a folder for flushed that is not.
	making sync.Mutex
}

func openFolder(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f := &folder{root: root}
	if err := f.makeTrees(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

// makeTrees makes the folders of records and blobs.
func (f *folder) makeTrees() error {
	return errors.Join(f.makeFolder(recordsFolder), f.makeFolder(blobsFolder))
}

// makeFolder makes a folder and those above it, each of them flushed.
func (f *folder) makeFolder(name string) error {
	f.making.Lock()
	defer f.making.Unlock()
	return f.makeLocked(name)
}

func (f *folder) makeLocked(name string) error {
	if name == "." {
		return nil
	}
	if info, err := f.root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	if err := f.makeLocked(path.Dir(name)); err != nil {
		return err
	}
	if err := f.root.Mkdir(name, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.flush(path.Dir(name))
}

// flush makes the entries of a folder durable.
func (f *folder) flush(name string) error {
	dir, err := f.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// write puts data at the path, whole and durable, or leaves what was there. Its
// error has no path, so that it is the same when the attempt is repeated.
func (f *folder) write(name string, data []byte) error {
	return withoutPath(f.replace(name, data))
}

func (f *folder) replace(name string, data []byte) (err error) {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	if err := f.makeFolder(dir); err != nil {
		return err
	}
	// renameio puts its temporary file at the top of the root that it is given.
	within, err := f.root.OpenRoot(dir)
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
	return f.flush(dir)
}

// holds reports whether the file at the path has exactly this content.
func (f *folder) holds(name string, data []byte) (bool, error) {
	info, err := f.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, withoutPath(err)
	}
	if info.Size() != int64(len(data)) {
		return false, nil
	}
	found, err := f.root.ReadFile(name)
	return bytes.Equal(found, data), withoutPath(err)
}

// touch makes a file as young as one just written.
func (f *folder) touch(name string) error {
	now := time.Now()
	return withoutPath(f.root.Chtimes(name, now, now))
}

// remove removes a file, if it is there, for good.
func (f *folder) remove(name string) error {
	err := f.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.flush(path.Dir(name))
}

// discard removes a file, if it is there. After a crash it may be back.
func (f *folder) discard(name string) error {
	if err := f.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// prune removes the folder and those above it, up to the records, while they are
// empty. A folder that gets a file meanwhile stays.
func (f *folder) prune(name string) {
	f.making.Lock()
	defer f.making.Unlock()
	for name != recordsFolder && f.root.Remove(name) == nil {
		name = path.Dir(name)
	}
}

// removeLeftovers removes the temporary files of writers that were killed.
func (f *folder) removeLeftovers() error {
	return fs.WalkDir(f.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		ours := below(name, recordsFolder) || below(name, blobsFolder)
		above := name == "." || below(blobsFolder, name)
		if !ours && !above && d.IsDir() {
			return fs.SkipDir // A volume has folders of its own, such as lost+found.
		}
		if !ours || d.IsDir() || !strings.HasPrefix(d.Name(), temporary) {
			return nil
		}
		if err := f.root.Remove(name); err != nil && !readOnly(err) {
			return fmt.Errorf("remove left-over file %q: %w", name, err)
		}
		return nil
	})
}

// below reports whether a path is a folder or below it.
func below(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}

// storageError gives an error of the disk the reason that tells what to do.
func storageError(err error) error {
	reason := v1alpha1.ReasonStorageFailed
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		reason = v1alpha1.ReasonStorageFull
	case readOnly(err):
		reason = v1alpha1.ReasonStorageReadOnly
	}
	return outcome.Failed(reason, err)
}

// withoutPath is the cause of an error about a file. Paths hold random numbers
// and digests of texts that differ at every attempt.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

func readOnly(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}
