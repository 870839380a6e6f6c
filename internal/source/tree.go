package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	chartFile  = "Chart.yaml"
	ignoreFile = ".helmignore"
)

// errSpecial refuses what is neither a file nor a folder. Links are refused even
// where they stay inside, as they are in an archive.
var errSpecial = outcome.Stalled(v1alpha1.ReasonNotAllowed, errors.New("links and special files are not read"))

// readTree reads the files of a chart that is kept as a folder, those left out
// that its .helmignore names, under the limits that an archive has.
func readTree(folder *os.Root) ([]hydrate.File, error) {
	ignored, err := readIgnore(folder)
	if err != nil {
		return nil, err
	}
	var files []hydrate.File
	total := 0
	err = fs.WalkDir(boundedFS{folder.FS()}, ".", func(path string, found fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if path == suspendMark || path == removeMark {
			return nil
		}
		if ignored.matches(path, found.IsDir()) {
			return skipIgnored(found)
		}
		if err := checkPath(path, len(files)); err != nil || found.IsDir() {
			return err
		}
		if !found.Type().IsRegular() {
			return fmt.Errorf("%q: %w", path, errSpecial)
		}
		data, err := readFile(folder, path, hydrate.MaxFileBytes)
		if err != nil {
			return err
		}
		if total += len(data); total > hydrate.MaxUnpackedBytes {
			return overLimit("the chart is larger than %d bytes", hydrate.MaxUnpackedBytes)
		}
		files = append(files, hydrate.File{Name: path, Data: data})
		return nil
	})
	return files, err
}

// boundedFS reads no folder with more entries than a chart may have.
type boundedFS struct{ fs.FS }

// ReadDir implements fs.ReadDirFS.
func (b boundedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	return readNames(b.FS, name, hydrate.MaxFiles)
}

// readNames reads the entries of a folder by name, which may have as many as the limit: a
// huge one is not read to its end.
func readNames(from fs.FS, name string, limit int) ([]fs.DirEntry, error) {
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
		return nil, overLimit("folder %q has more than %d entries", name, limit)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

func skipIgnored(found fs.DirEntry) error {
	if found.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func checkPath(path string, before int) error {
	switch {
	case before >= hydrate.MaxFiles:
		return overLimit("the chart has more than %d files", hydrate.MaxFiles)
	case len(path) > hydrate.MaxPathBytes:
		return overLimit("a path in the chart is longer than %d bytes", hydrate.MaxPathBytes)
	case strings.Count(path, "/") >= hydrate.MaxPathDepth:
		return overLimit("the chart has folders more than %d deep", hydrate.MaxPathDepth)
	}
	return nil
}

// readFile reads a file that is regular when it is open, whatever it was before,
// and does not wait for one that is a pipe.
func readFile(root *os.Root, name string, limit int) ([]byte, error) {
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q: %w", name, errSpecial)
	}
	if info.Size() > int64(limit) {
		return nil, tooLarge(name, limit)
	}
	data := make([]byte, info.Size(), info.Size()+1)
	n, err := io.ReadFull(file, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // It became shorter since.
	}
	return data[:n], err
}

// readLimited reads to the end, which must come within the limit.
func readLimited(in io.Reader, limit int, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	if len(data) > limit {
		return nil, tooLarge(name, limit)
	}
	return data, nil
}

func tooLarge(name string, limit int) error {
	return overLimit("%q is larger than %d bytes", name, limit)
}

func overLimit(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(format, args...))
}
