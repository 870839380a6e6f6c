package airgap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Names of the files of a folder.
const (
	chartsFolder = "charts"
	imagesFile   = "images.txt"
	scriptFile   = "mirror.sh"
	readmeFile   = "README.txt"
	haulerFile   = "hauler.yaml"
	lockFile     = "images.lock.yml"
)

// entries are the files of a folder, which Write replaces if it is forced to.
var entries = []string{chartsFolder, imagesFile, scriptFile, readmeFile, haulerFile, lockFile}

// ErrExists is the error for a folder that already contains files.
var ErrExists = errors.New("it already contains files")

// CheckFolder returns an error if a folder already contains files, unless it is forced to.
func CheckFolder(folder string, force bool) error {
	found, err := os.ReadDir(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(found) > 0 && !force:
		return fmt.Errorf("folder %s: %w", folder, ErrExists)
	}
	return nil
}

// Write writes the files of the content to a folder, which is created. All files are written to a temporary
// folder in the same parent first, so that a failure leaves the folder as it was. If it is forced to, the files of an
// earlier content are replaced, and other files are kept. Links in the folder are not followed.
func (c *Content) Write(folder string, force bool) (err error) {
	if err := CheckFolder(folder, force); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(folder), "."+filepath.Base(folder)+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	if err := c.writeFiles(temporary); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, name := range entries {
		if err := root.RemoveAll(name); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(temporary, name), filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}

// writeFiles writes the files to an empty folder.
func (c *Content) writeFiles(folder string) (err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := root.Mkdir(chartsFolder, 0o755); err != nil {
		return err
	}
	for i := range c.Charts {
		if err := root.WriteFile(chartsFolder+"/"+c.Charts[i].FileName(), c.Charts[i].Archive, 0o644); err != nil {
			return err
		}
	}
	var hauler, lock strings.Builder
	if err := errors.Join(printHauler(&hauler, "", c.Images), printLock(&lock, c.Images)); err != nil {
		return err
	}
	for _, file := range []struct {
		name, text string
		mode       fs.FileMode
	}{
		{imagesFile, c.ImageList(), 0o644}, {scriptFile, c.Script(), 0o755}, {readmeFile, c.Readme(), 0o644},
		{haulerFile, hauler.String(), 0o644}, {lockFile, lock.String(), 0o644},
	} {
		if err := root.WriteFile(file.name, []byte(file.text), file.mode); err != nil {
			return err
		}
	}
	return nil
}
