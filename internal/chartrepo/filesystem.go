package chartrepo

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
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
	// temporaryPrefix starts the name of each file that is not yet in place; renameio adds
	// it.
	temporaryPrefix = "."
)

// digestPattern is the only form of digest that becomes part of a path.
var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// blobPath returns the path of the blob with a digest that matches digestPattern.
func blobPath(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return path.Join(blobsFolder, hex[:2], hex)
}

// fileStore accesses the folder of a store. Paths have forward slashes and cannot leave the
// root, not even through a symbolic link.
type fileStore struct {
	root *os.Root
	// makingFolder serializes the creation of folders, so that no writer takes a folder for
	// flushed that is not.
	makingFolder sync.Mutex
}

func openFileStore(dir string) (*fileStore, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f := &fileStore{root: root}
	if err := f.makeRootFolders(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

// makeRootFolders creates the folders of records and blobs.
func (f *fileStore) makeRootFolders() error {
	return errors.Join(f.makeFolder(recordsFolder), f.makeFolder(blobsFolder))
}

// makeFolder creates a folder and its parents, each of them flushed to disk.
func (f *fileStore) makeFolder(name string) error {
	f.makingFolder.Lock()
	defer f.makingFolder.Unlock()
	return f.makeFolderLocked(name)
}

func (f *fileStore) makeFolderLocked(name string) error {
	if name == "." {
		return nil
	}
	if info, err := f.root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	if err := f.makeFolderLocked(path.Dir(name)); err != nil {
		return err
	}
	if err := f.root.Mkdir(name, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.syncFolder(path.Dir(name))
}

// syncFolder flushes the entries of a folder to disk.
func (f *fileStore) syncFolder(name string) error {
	dir, err := f.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// writeFile writes a file atomically and durably. On failure, the previous content stays. The
// error contains no path, so that it is the same for repeated attempts.
func (f *fileStore) writeFile(name string, data []byte) error {
	return withoutPath(f.replaceFile(name, data))
}

func (f *fileStore) replaceFile(name string, data []byte) (err error) {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	if err := f.makeFolder(dir); err != nil {
		return err
	}
	// renameio creates its temporary file at the top of the root that it is given.
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
	return f.syncFolder(dir)
}

// hasContent reports whether a file has exactly this content.
func (f *fileStore) hasContent(name string, data []byte) (bool, error) {
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

// refreshModTime sets the modification time of a file to the current time.
func (f *fileStore) refreshModTime(name string) error {
	now := time.Now()
	return withoutPath(f.root.Chtimes(name, now, now))
}

// removeFile removes a file if it exists, durably.
func (f *fileStore) removeFile(name string) error {
	err := f.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.syncFolder(path.Dir(name))
}

// checkSpace returns an error if a file of this size cannot be written.
func (f *fileStore) checkSpace(size int64) error {
	const name = recordsFolder + "/" + temporaryPrefix + "check"
	file, err := f.root.Create(name)
	if err != nil {
		return withoutPath(err)
	}
	_, err = io.CopyN(file, rand.Reader, size) // Some file systems compress zeros.
	return withoutPath(errors.Join(err, file.Sync(), file.Close(), f.root.Remove(name)))
}

// discardFile removes a file if it exists. The file may reappear after a crash.
func (f *fileStore) discardFile(name string) error {
	if err := f.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// pruneFolders removes a folder and its parents below the records as long as they are empty.
// A folder that gets a file in the meantime stays.
func (f *fileStore) pruneFolders(name string) {
	f.makingFolder.Lock()
	defer f.makingFolder.Unlock()
	for name != recordsFolder && f.root.Remove(name) == nil {
		name = path.Dir(name)
	}
}

// removeLeftovers removes the temporary files of writers that were killed.
func (f *fileStore) removeLeftovers() error {
	return fs.WalkDir(f.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		ours := isWithin(name, recordsFolder) || isWithin(name, blobsFolder)
		above := name == "." || isWithin(blobsFolder, name)
		if !ours && !above && d.IsDir() {
			return fs.SkipDir // Volumes contain other folders, such as lost+found.
		}
		if !ours || d.IsDir() || !strings.HasPrefix(d.Name(), temporaryPrefix) {
			return nil
		}
		if err := f.root.Remove(name); err != nil && !isReadOnlyError(err) {
			return fmt.Errorf("remove leftover file %q: %w", name, err)
		}
		return nil
	})
}

// isWithin reports whether a path is a folder or below it.
func isWithin(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}

// storageError adds the condition reason to an error of the file system.
func storageError(err error) error {
	reason := v1alpha1.ReasonStorageFailed
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		reason = v1alpha1.ReasonStorageFull
	case isReadOnlyError(err):
		reason = v1alpha1.ReasonStorageReadOnly
	}
	return outcome.Failed(reason, err)
}

// withoutPath returns the cause of a file error. Paths contain random numbers and digests,
// which differ for each attempt.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

func isReadOnlyError(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}
