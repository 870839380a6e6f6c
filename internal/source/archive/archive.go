// Package archive writes the charts in a gzipped tar of folders, such as an artifact of Flux, to a
// folder.
//
// An archive is untrusted. It is read twice: the first pass reads the headers, checks all names,
// counts files and bytes, and finds the folders that are charts; the second pass writes only these
// folders. Links and special files are written as links to files that do not exist, so that a chart
// with one is not accepted. No error contains the content of a file.
package archive

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// MaxBytes is the maximum size of an archive.
	MaxBytes = 64 << 20
	// MaxEntries is the maximum number of files and folders of an archive.
	MaxEntries = 100_000
	// MaxFileBytes is the maximum size of a file.
	MaxFileBytes = 16 << 20
	// MaxUnpackedBytes is the maximum size of all files.
	MaxUnpackedBytes = 256 << 20
	// ChartFolder is the folder of a chart that is the folder of the source itself.
	ChartFolder = "chart"

	maxDepth     = 64
	maxNameBytes = 1024
	chartFile    = "Chart.yaml"
	// maxStreamBytes limits what is unpacked: the files, and at most 4 KiB of headers for each entry.
	maxStreamBytes = MaxUnpackedBytes + 4<<10*MaxEntries
)

// Unpack writes the charts in a folder of an archive: each folder in it that has a Chart.yaml, and each
// *.tgz. If the folder itself is a chart, it is written to ChartFolder. Errors about the archive are
// stalled with InvalidIndex, LimitExceeded or NotFound.
func Unpack(ctx context.Context, file io.ReadSeeker, folder string, to *os.Root) error {
	found := contents{folder: cleanFolder(folder), charts: map[string]bool{}, names: map[string]bool{}}
	if err := readEntries(ctx, file, found.addEntry); err != nil {
		return err
	}
	if !found.exists {
		return outcome.Stalledf(v1alpha1.ReasonNotFound, "the artifact has no folder %q", folder)
	}
	return readEntries(ctx, file, func(name string, header *tar.Header, content io.Reader) error {
		target, isChart := found.targetOf(name)
		if !isChart {
			return nil
		}
		return writeEntry(to, target, header, content)
	})
}

// cleanFolder returns a folder without a slash at its end, "" for the root.
func cleanFolder(folder string) string {
	return strings.Trim(path.Clean("/"+folder), "/")
}

// readEntries calls a function for each entry of an archive, with its clean name.
func readEntries(ctx context.Context, file io.ReadSeeker, read func(name string, header *tar.Header, content io.Reader) error) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return invalidError("the artifact is not a gzip archive")
	}
	bounded := &io.LimitedReader{R: unzipped, N: maxStreamBytes + 1}
	in := tar.NewReader(bounded)
	for entries := 0; ; entries++ {
		header, err := in.Next()
		switch {
		case bounded.N <= 0:
			return limitError("the artifact unpacks to more than %d bytes", int64(maxStreamBytes))
		case errors.Is(err, io.EOF):
			return checkEnd(bounded)
		case err != nil:
			return invalidError("the artifact is not a tar archive, or it is truncated")
		case entries >= MaxEntries:
			return limitError("the artifact has more than %d files and folders", MaxEntries)
		case ctx.Err() != nil:
			return ctx.Err()
		case header.Typeflag == tar.TypeXGlobalHeader:
			continue
		}
		name, err := cleanName(header.Name)
		if err != nil {
			return err
		}
		if err := read(name, header, in); err != nil {
			return err
		}
	}
}

// checkEnd reads to the end of an archive, in order to detect that it is truncated.
func checkEnd(bounded *io.LimitedReader) error {
	if _, err := io.Copy(io.Discard, bounded); err != nil {
		return invalidError("the artifact is not a tar archive, or it is truncated")
	}
	if bounded.N <= 0 {
		return limitError("the artifact unpacks to more than %d bytes", int64(maxStreamBytes))
	}
	return nil
}

// cleanName returns the name of an entry without "./", which must not leave the folder. The root is ".".
func cleanName(name string) (string, error) {
	if len(name) > maxNameBytes {
		return "", limitError("the artifact contains a name with %d bytes", len(name))
	}
	if path.IsAbs(name) || strings.ContainsAny(name, "\\\x00") {
		return "", invalidError("the artifact contains the name %.80q, which is not allowed", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." || len(part) > 255 {
			return "", invalidError("the artifact contains the name %.80q, which is not allowed", name)
		}
	}
	cleaned := path.Clean(name)
	if strings.Count(cleaned, "/") >= maxDepth {
		return "", limitError("the folders of the artifact are nested more than %d levels deep", maxDepth)
	}
	return cleaned, nil
}

// contents is what the first pass finds.
type contents struct {
	// folder is the folder of the source, "" for the root.
	folder string
	exists bool
	// charts are the charts in the folder: folders, archives, or "." for the folder itself.
	charts map[string]bool
	// names are the names of all files.
	names map[string]bool
	bytes int64
}

// addEntry counts an entry.
func (c *contents) addEntry(name string, header *tar.Header, _ io.Reader) error {
	if header.Typeflag == tar.TypeReg && header.Size > MaxFileBytes {
		return limitError("the artifact contains a file that is larger than %d bytes", MaxFileBytes)
	}
	if c.bytes += header.Size; c.bytes > MaxUnpackedBytes {
		return limitError("the files of the artifact have more than %d bytes in total", MaxUnpackedBytes)
	}
	if header.Typeflag != tar.TypeDir {
		if c.names[name] {
			return invalidError("the artifact contains the name %.200q twice", name)
		}
		c.names[name] = true
	}
	below, isBelow := c.relativeName(name)
	if !isBelow {
		return nil
	}
	c.exists = c.exists || header.Typeflag == tar.TypeDir || below != "."
	first, rest, isNested := strings.Cut(below, "/")
	switch {
	case header.Typeflag != tar.TypeReg:
	case below == chartFile:
		c.charts["."] = true
	case rest == chartFile, !isNested && strings.HasSuffix(first, ".tgz"):
		c.charts[first] = true
	}
	return nil
}

// relativeName returns a name relative to the folder of the source, and whether it is in the folder.
func (c *contents) relativeName(name string) (string, bool) {
	if c.folder == "" || name == c.folder {
		return strings.TrimPrefix(name, c.folder+"/"), true
	}
	return strings.CutPrefix(name, c.folder+"/")
}

// targetOf returns the name at which an entry is written, and whether it belongs to a chart.
func (c *contents) targetOf(name string) (string, bool) {
	below, isBelow := c.relativeName(name)
	if !isBelow || below == "." || name == c.folder {
		return "", false
	}
	if c.charts["."] {
		return path.Join(ChartFolder, below), true
	}
	first, _, _ := strings.Cut(below, "/")
	return below, c.charts[first] && !strings.HasPrefix(first, ".")
}

// writeEntry writes a file or folder.
func writeEntry(to *os.Root, name string, header *tar.Header, content io.Reader) error {
	if header.Typeflag == tar.TypeDir {
		return writeError(name, to.MkdirAll(name, 0o700))
	}
	if err := to.MkdirAll(path.Dir(name), 0o700); err != nil {
		return writeError(name, err)
	}
	if header.Typeflag != tar.TypeReg {
		return writeError(name, to.Symlink(path.Base(name)+".target", name))
	}
	file, err := to.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return writeError(name, err)
	}
	_, err = io.Copy(file, io.LimitReader(content, MaxFileBytes))
	return writeError(name, errors.Join(err, file.Close()))
}

// writeError returns the error for a file that cannot be written. A file with the name of a folder is
// an error of the archive.
func writeError(name string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, os.ErrExist) || errors.Is(err, syscall.ENOTDIR) {
		return invalidError("the artifact contains the name %.200q twice", name)
	}
	return fmt.Errorf("write %.200q: %w", name, err)
}

func limitError(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(format, args...))
}

func invalidError(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonInvalidIndex, fmt.Errorf(format, args...))
}
