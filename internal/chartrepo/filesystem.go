package chartrepo

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/appmarket/operator/internal/volume"
)

const (
	recordsFolder = "records"
	blobsFolder   = "blobs/sha256"
)

// digestPattern is the only form of digest that becomes part of a path.
var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// blobPath returns the path of the blob with a digest that matches digestPattern.
func blobPath(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return path.Join(blobsFolder, hex[:2], hex)
}

// fileStore accesses the folder of a store.
type fileStore struct{ *volume.Folder }

func openFileStore(dir string) (*fileStore, error) {
	folder, err := volume.Open(dir)
	if err != nil {
		return nil, err
	}
	f := &fileStore{folder}
	if err := f.makeRootFolders(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// makeRootFolders creates the folders of records and blobs.
func (f *fileStore) makeRootFolders() error {
	return errors.Join(f.MakeFolder(recordsFolder), f.MakeFolder(blobsFolder))
}

// hasContent reports whether a file has exactly this content.
func (f *fileStore) hasContent(name string, data []byte) (bool, error) {
	info, err := f.Root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, volume.WithoutPath(err)
	}
	if info.Size() != int64(len(data)) {
		return false, nil
	}
	found, err := f.Root.ReadFile(name)
	return bytes.Equal(found, data), volume.WithoutPath(err)
}

// refreshModTime sets the modification time of a file to the current time.
func (f *fileStore) refreshModTime(name string) error {
	now := time.Now()
	return volume.WithoutPath(f.Root.Chtimes(name, now, now))
}

// checkSpace returns an error if a file of this size cannot be written.
func (f *fileStore) checkSpace(size int64) error {
	const name = recordsFolder + "/" + volume.TemporaryPrefix + "check"
	file, err := f.Root.Create(name)
	if err != nil {
		return volume.WithoutPath(err)
	}
	_, err = io.CopyN(file, rand.Reader, size) // Some file systems compress zeros.
	return volume.WithoutPath(errors.Join(err, file.Sync(), file.Close(), f.Root.Remove(name)))
}

// discardFile removes a file if it exists. The file may reappear after a crash.
func (f *fileStore) discardFile(name string) error {
	if err := f.Root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeLeftovers removes the temporary files of writers that were killed.
func (f *fileStore) removeLeftovers() error {
	return fs.WalkDir(f.Root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		ours := isWithin(name, recordsFolder) || isWithin(name, blobsFolder)
		above := name == "." || isWithin(blobsFolder, name)
		if !ours && !above && d.IsDir() {
			return fs.SkipDir // Volumes contain other folders, such as lost+found.
		}
		if !ours || d.IsDir() || !strings.HasPrefix(d.Name(), volume.TemporaryPrefix) {
			return nil
		}
		if err := f.Root.Remove(name); err != nil && !volume.IsReadOnlyError(err) {
			return fmt.Errorf("remove leftover file %q: %w", name, err)
		}
		return nil
	})
}

// isWithin reports whether a path is a folder or below it.
func isWithin(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}
