package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxDepth is the maximum number of nested folders.
	maxDepth = 64
	// maxFiles is the maximum number of files and folders that are written. A pack can contain a
	// folder once and name it many times.
	maxFiles = 2 * MaxObjects
	// chartFile is in each folder that is a chart.
	chartFile = "Chart.yaml"
	// ChartFolder is the folder of a chart that is the folder of the source itself.
	ChartFolder = "chart"
)

// Checkout writes the charts in a folder of a commit: each folder in it that has a Chart.yaml, and
// each archive. If the folder itself is a chart, it is written to ChartFolder. A symbolic link is
// written as a link to a file that does not exist, so that the chart is not accepted. Submodules
// are omitted.
func Checkout(ctx context.Context, file *os.File, commit, folder string, to *os.Root) error {
	in, err := openPack(ctx, file)
	if err != nil {
		return err
	}
	found, err := in.readObject(plumbing.NewHash(commit), plumbing.CommitObject)
	if err != nil {
		return err
	}
	var decoded object.Commit
	if err := decoded.Decode(found); err != nil {
		return invalidError("the commit is invalid")
	}
	work := writer{pack: in, to: to, counted: map[plumbing.Hash]int{}}
	entries, err := work.findFolder(decoded.TreeHash, folder)
	if err != nil {
		return err
	}
	if hasFile(entries, chartFile) {
		return work.writeChartFolder(entries, ChartFolder)
	}
	for _, entry := range entries {
		if err := work.writeChart(entry); err != nil {
			return err
		}
	}
	return nil
}

func hasFile(entries []object.TreeEntry, name string) bool {
	return slices.ContainsFunc(entries, func(e object.TreeEntry) bool { return e.Name == name && e.Mode.IsFile() })
}

// writer writes the files of a pack.
type writer struct {
	*pack
	to    *os.Root
	bytes int64
	// files is the number of files and folders of the charts, and counted the numbers in folders.
	files   int
	counted map[plumbing.Hash]int
}

// findFolder returns the entries of a folder of a tree.
func (w *writer) findFolder(tree plumbing.Hash, folder string) ([]object.TreeEntry, error) {
	entries, err := w.readTree(tree)
	for name := range strings.SplitSeq(path.Clean(folder), "/") {
		if err != nil || name == "." || name == "" {
			return entries, err
		}
		at := slices.IndexFunc(entries, func(e object.TreeEntry) bool { return e.Name == name && e.Mode == filemode.Dir })
		if at < 0 {
			return nil, notFoundError("the commit has no folder %q", folder)
		}
		entries, err = w.readTree(entries[at].Hash)
	}
	return entries, err
}

// readTree returns the entries of a folder, all of which have valid names.
func (w *writer) readTree(hash plumbing.Hash) ([]object.TreeEntry, error) {
	found, err := w.readObject(hash, plumbing.TreeObject)
	if err != nil {
		return nil, err
	}
	var tree object.Tree
	if err := tree.Decode(found); err != nil {
		return nil, invalidError("a folder of the commit is invalid")
	}
	for _, entry := range tree.Entries {
		if !isValidName(entry.Name) {
			return nil, invalidError("a folder of the commit contains the name %.80q, which is not allowed", entry.Name)
		}
	}
	return tree.Entries, nil
}

// isValidName reports whether a name is the name of an entry that git creates. Names that some
// file systems treat as .git are rejected too.
func isValidName(name string) bool {
	folded := strings.ToLower(strings.TrimRight(name, ". "))
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\\\x00") && len(name) <= 255 &&
		folded != ".git" && folded != "git~1"
}

// writeChart writes an entry of the folder of the source if it is a chart.
func (w *writer) writeChart(entry object.TreeEntry) error {
	switch {
	case strings.HasPrefix(entry.Name, "."):
		return nil
	case entry.Mode == filemode.Dir:
		entries, err := w.readTree(entry.Hash)
		if err != nil || !hasFile(entries, chartFile) {
			return err
		}
		return w.writeChartFolder(entries, entry.Name)
	case entry.Mode.IsFile() && strings.HasSuffix(entry.Name, ".tgz"):
		if err := w.addFiles(1); err != nil {
			return err
		}
		return w.writeEntry(entry, entry.Name, 1)
	}
	return nil
}

// writeChartFolder writes the folder of a chart. Its files are counted before one is written.
func (w *writer) writeChartFolder(entries []object.TreeEntry, name string) error {
	count, err := w.countFiles(entries, 1)
	if err != nil {
		return err
	}
	if err := w.addFiles(count + 1); err != nil {
		return err
	}
	return w.writeFolder(entries, name, 1)
}

// countFiles returns the number of files and folders in a folder. A folder that is named many times is read once, so
// that the time depends on the size of the pack only.
func (w *writer) countFiles(entries []object.TreeEntry, depth int) (int, error) {
	if depth > maxDepth {
		return 0, limitError("the folders of the commit are nested more than %d levels deep", maxDepth)
	}
	total := len(entries)
	for _, entry := range entries {
		if entry.Mode != filemode.Dir {
			continue
		}
		count, isKnown := w.counted[entry.Hash]
		if !isKnown {
			inside, err := w.readTree(entry.Hash)
			if err != nil {
				return 0, err
			}
			if count, err = w.countFiles(inside, depth+1); err != nil {
				return 0, err
			}
			w.counted[entry.Hash] = count
		}
		if total += count; total > maxFiles {
			return 0, tooManyFilesError()
		}
	}
	return total, nil
}

func (w *writer) addFiles(count int) error {
	if w.files += count; w.files > maxFiles {
		return tooManyFilesError()
	}
	return nil
}

func tooManyFilesError() error {
	return limitError("the charts of the commit have more than %d files", maxFiles)
}

// writeFolder writes the entries of a folder.
func (w *writer) writeFolder(entries []object.TreeEntry, name string, depth int) error {
	if depth > maxDepth {
		return limitError("the folders of the commit are nested more than %d levels deep", maxDepth)
	}
	if err := w.to.Mkdir(name, 0o700); err != nil {
		return writeError(name, err)
	}
	for _, entry := range entries {
		if err := w.writeEntry(entry, path.Join(name, entry.Name), depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeEntry(entry object.TreeEntry, name string, depth int) error {
	switch {
	case entry.Mode == filemode.Dir:
		entries, err := w.readTree(entry.Hash)
		if err != nil {
			return err
		}
		return w.writeFolder(entries, name, depth+1)
	case entry.Mode == filemode.Symlink:
		return writeError(name, w.to.Symlink(path.Base(name)+".target", name))
	case entry.Mode.IsFile():
		return w.writeFile(entry.Hash, name)
	}
	return nil // A submodule.
}

func (w *writer) writeFile(hash plumbing.Hash, name string) error {
	found, err := w.readObject(hash, plumbing.BlobObject)
	if err != nil {
		return err
	}
	if w.bytes += found.Size(); w.bytes > MaxUnpackedBytes {
		return limitError("the charts of the commit are larger than %d bytes in total", MaxUnpackedBytes)
	}
	content, err := found.Reader()
	if err != nil {
		return w.file.toError(err)
	}
	file, err := w.to.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return writeError(name, err)
	}
	_, err = io.Copy(file, content)
	return writeError(name, errors.Join(err, content.Close(), file.Close()))
}

// writeError returns the error for a file that cannot be written. A name that exists twice in a
// folder is an error of the repository.
func writeError(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrExist):
		return invalidError("the commit contains the name %.200q twice", name)
	}
	return fmt.Errorf("write %.200q: %w", name, err)
}

// isClassified reports whether an error has a reason.
func isClassified(err error) bool { return outcome.Reason(err, "") != "" }
