package chartrepo

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/appmarket/operator/internal/volume"
)

// volumeStorage is a Storage in a folder of a volume.
type volumeStorage struct{ folder *volume.Folder }

var _ Storage = volumeStorage{}

// volumeFile is a file of a volume.
type volumeFile struct {
	*os.File
	info FileInfo
}

func (f volumeFile) Info() FileInfo { return f.info }

// openVolume opens a folder, and removes the temporary files of writers that were killed.
func openVolume(dir string) (volumeStorage, error) {
	folder, err := volume.Open(dir)
	if err != nil {
		return volumeStorage{}, explainDenied(dir, err)
	}
	s := volumeStorage{folder}
	err = s.Prepare()
	if err == nil {
		err = s.removeLeftovers()
	}
	if err != nil {
		return volumeStorage{}, errors.Join(explainDenied(dir, err), folder.Close())
	}
	return s, nil
}

// explainDenied adds to a permission error which user cannot write to the folder, and how to
// fix it.
func explainDenied(dir string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("user %d cannot write to %s: %w; set fsGroup in the pod's securityContext, or make this user the owner of the volume",
		os.Getuid(), dir, volume.WithoutPath(err))
}

// Prepare creates the folders of records and blobs.
func (s volumeStorage) Prepare() error {
	return errors.Join(s.folder.MakeFolder(recordsFolder), s.folder.MakeFolder(blobsFolder))
}

func (s volumeStorage) Close() error { return s.folder.Close() }

func (s volumeStorage) Stat(name string) (FileInfo, error) {
	info, err := s.folder.Root.Stat(name)
	if err != nil {
		return FileInfo{}, volume.WithoutPath(err)
	}
	return toFileInfo(name, info), nil
}

func toFileInfo(name string, info os.FileInfo) FileInfo {
	return FileInfo{Name: name, Size: info.Size(), ModTime: info.ModTime(), file: info}
}

func (s volumeStorage) Open(name string) (File, error) {
	file, err := s.folder.Root.Open(name)
	if err != nil {
		return nil, volume.WithoutPath(err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, volume.WithoutPath(errors.Join(err, file.Close()))
	}
	return volumeFile{file, toFileInfo(name, info)}, nil
}

// Write also removes the folders of a record that it could not write.
func (s volumeStorage) Write(name string, data []byte) error {
	err := s.folder.WriteFile(name, data)
	if err != nil {
		s.pruneRecords(name)
	}
	return err
}

// Mark writes a file as Write does: one process accesses a volume.
func (s volumeStorage) Mark(name string) error { return s.Write(name, []byte(path.Base(name)+"\n")) }

func (s volumeStorage) Touch(name string, _ []byte) error {
	now := time.Now()
	return volume.WithoutPath(s.folder.Root.Chtimes(name, now, now))
}

// Remove also removes the folders of a record that are empty without it.
func (s volumeStorage) Remove(name string) error {
	if err := s.folder.RemoveFile(name); err != nil {
		return volume.WithoutPath(err)
	}
	s.pruneRecords(name)
	return nil
}

func (s volumeStorage) pruneRecords(name string) {
	if isWithin(name, recordsFolder) {
		s.folder.PruneFolders(path.Dir(name), recordsFolder)
	}
}

func (s volumeStorage) Discard(name string) error {
	if err := s.folder.Root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return volume.WithoutPath(err)
	}
	return nil
}

// List includes temporary files.
func (s volumeStorage) List(folder string, visit func(FileInfo) error) error {
	return fs.WalkDir(s.folder.Root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return visit(toFileInfo(name, info))
	})
}

// CheckSpace writes and removes a temporary file.
func (s volumeStorage) CheckSpace(size int64) error {
	const name = recordsFolder + "/" + volume.TemporaryPrefix + "check"
	file, err := s.folder.Root.Create(name)
	if err != nil {
		return volume.WithoutPath(err)
	}
	_, err = io.CopyN(file, rand.Reader, size) // Some file systems compress zeros.
	return volume.WithoutPath(errors.Join(err, file.Sync(), file.Close(), s.folder.Root.Remove(name)))
}

func (s volumeStorage) Check() error {
	_, err := s.Stat(recordsFolder)
	return err
}

// removeLeftovers removes the temporary files of writers that were killed.
func (s volumeStorage) removeLeftovers() error {
	return fs.WalkDir(s.folder.Root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
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
		if err := s.folder.Root.Remove(name); err != nil && !volume.IsReadOnlyError(err) {
			return fmt.Errorf("remove leftover file %q: %w", name, err)
		}
		return nil
	})
}

// isWithin reports whether a path is a folder or below it.
func isWithin(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}
