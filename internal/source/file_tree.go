package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	chartFile  = "Chart.yaml"
	ignoreFile = ".helmignore"
)

// errNotRegular is the error for an entry that is neither a file nor a folder. Links are
// not allowed even if they lead to a file in the same folder, as in an archive.
var errNotRegular = outcome.Stalled(v1alpha1.ReasonNotAllowed, errors.New("links and special files are not allowed: replace it by a file or folder"))

// treeReader reads the files of a chart that is a folder, and their facts.
type treeReader struct {
	root    *os.Root
	ignored ignoreRules
	// ignoreFacts are the facts of the .helmignore that was read, or nil if there was none.
	ignoreFacts *fileFacts
	files       []chart.File
	total       int
}

// readTree reads the files of a chart that is a folder, except the files that its
// .helmignore ignores. The limits of an archive apply.
func readTree(folder *os.Root) ([]chart.File, *entryFacts, error) {
	ignored, ignoreFacts, err := readIgnore(folder)
	if err != nil {
		return nil, nil, err
	}
	reader := treeReader{root: folder, ignored: ignored, ignoreFacts: ignoreFacts}
	facts := &entryFacts{}
	facts.entries, err = reader.readFolder(".")
	return reader.files, facts, err
}

// readFolder reads a folder of the chart. The folder must not have more entries than a chart
// may have files.
func (t *treeReader) readFolder(name string) ([]entryFacts, error) {
	found, err := readFolderEntries(t.root.FS(), name, chart.MaxFiles)
	if err != nil {
		return nil, err
	}
	entries := make([]entryFacts, len(found))
	for i, f := range found {
		entries[i].name = f.Name()
		if err := t.readFolderEntry(path.Join(name, f.Name()), f, &entries[i]); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// readFolderEntry reads an entry of a folder and sets its facts.
func (t *treeReader) readFolderEntry(path string, found fs.DirEntry, facts *entryFacts) error {
	if path == suspendFile || path == removeFile || t.ignored.ignoresPath(path, found.IsDir()) {
		facts.setIgnored(found)
		t.setIgnoreFileFacts(path, facts)
		return nil
	}
	err := checkPath(path, len(t.files))
	if err != nil {
		return err
	}
	if found.IsDir() {
		facts.entries, err = t.readFolder(path)
		return err
	}
	if !found.Type().IsRegular() {
		return fmt.Errorf("%q: %w", path, errNotRegular)
	}
	data, read, err := readFile(t.root, path, chart.MaxFileBytes)
	if err != nil {
		return err
	}
	if t.total += len(data); t.total > chart.MaxUnpackedBytes {
		return limitError("the chart is larger than %d bytes", chart.MaxUnpackedBytes)
	}
	t.files = append(t.files, chart.File{Name: path, Data: data})
	facts.file = read
	t.setIgnoreFileFacts(path, facts)
	return nil
}

// setIgnoreFileFacts sets the facts of a .helmignore to the facts when its rules were read.
func (t *treeReader) setIgnoreFileFacts(path string, facts *entryFacts) {
	if path != ignoreFile {
		return
	}
	facts.isIgnored, facts.file = false, unknownFacts
	if t.ignoreFacts != nil { // The file existed when the rules were read.
		facts.file = *t.ignoreFacts
	}
}

// readFolderEntries returns the entries of a folder, sorted by name. It stops reading and
// returns an error if the folder has more entries than the limit.
func readFolderEntries(from fs.FS, name string, limit int) ([]fs.DirEntry, error) {
	folder, err := from.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }()
	readable, ok := folder.(fs.ReadDirFile)
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a folder")}
	}
	entries, err := readable.ReadDir(limit + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(entries) > limit {
		return nil, limitError("folder %q has more than %d entries", name, limit)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// checkPath returns an error if a file exceeds the limits of a chart. Before is the number
// of files that were read before it.
func checkPath(path string, before int) error {
	switch {
	case before >= chart.MaxFiles:
		return limitError("the chart has more than %d files", chart.MaxFiles)
	case len(path) > chart.MaxPathBytes:
		return limitError("a path in the chart is longer than %d bytes", chart.MaxPathBytes)
	case strings.Count(path, "/") >= chart.MaxPathDepth:
		return limitError("the folders of the chart are nested more than %d levels deep", chart.MaxPathDepth)
	}
	return nil
}

// readFile reads a regular file and returns its facts from before the reading. It checks the
// type of the opened file, because the name may refer to another file in the meantime, and
// does not block on a pipe.
func readFile(root *os.Root, name string, limit int) ([]byte, fileFacts, error) {
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fileFacts{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fileFacts{}, err
	}
	if !info.Mode().IsRegular() {
		return nil, fileFacts{}, fmt.Errorf("%q: %w", name, errNotRegular)
	}
	if info.Size() > int64(limit) {
		return nil, fileFacts{}, tooLargeError(name, limit)
	}
	data := make([]byte, info.Size(), info.Size()+1)
	n, err := io.ReadFull(file, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // The file was truncated after Stat.
	}
	return data[:n], fileFactsOf(info), err
}

// readLimited reads all of in, or returns an error if that is larger than the limit.
func readLimited(in io.Reader, limit int, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	if len(data) > limit {
		return nil, tooLargeError(name, limit)
	}
	return data, nil
}

// tooLargeError returns the error for a file that is larger than the limit.
func tooLargeError(name string, limit int) error {
	return limitError("%q is larger than %d bytes", name, limit)
}

// limitError returns an error that is stalled with LimitExceeded.
func limitError(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(format, args...))
}
