package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// packedAt is the modification time of every packed file. It is not the Unix epoch because
// some tools reject the epoch as invalid.
var packedAt = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// zippers reuses gzip writers because each one allocates a large buffer.
var zippers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// Pack returns the archive of a chart: a gzipped tar with one folder that has the chart's
// name, with Chart.yaml first and the other files in order of name. The same files produce
// the same bytes in every run of one build; a different Go release may compress
// differently. Pack rejects every set of files that CheckFiles rejects, with the same
// errors, so that Unpack accepts every archive that Pack returns.
func Pack(name string, files []File) ([]byte, error) {
	if err := CheckFiles(files); err != nil {
		return nil, fmt.Errorf("pack chart %q: %w", name, err)
	}
	if err := checkName(name); err != nil || strings.Contains(name, "/") {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "pack chart %q: invalid folder name", name)
	}
	var out bytes.Buffer
	zipped := zippers.Get().(*gzip.Writer)
	defer zippers.Put(zipped)
	zipped.Reset(&out)
	size, err := writeTar(tar.NewWriter(zipped), name, packOrder(files))
	if err != nil {
		return nil, fmt.Errorf("pack chart %q: %w", name, err)
	}
	if err := zipped.Close(); err != nil {
		return nil, fmt.Errorf("pack chart %q: %w", name, err)
	}
	if out.Len() > MaxArchiveBytes || size > unpackedBound(out.Len()) {
		return nil, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "pack chart %q: an archive of %d bytes for %d bytes of files exceeds the limits", name, out.Len(), size)
	}
	return out.Bytes(), nil
}

// packOrder returns the files in order of name, with Chart.yaml first.
func packOrder(files []File) []File {
	ordered := append([]File(nil), files...)
	sortFiles(ordered)
	for i, file := range ordered {
		if file.Name == "Chart.yaml" {
			copy(ordered[1:i+1], ordered[:i])
			ordered[0] = file
			break
		}
	}
	return ordered
}

// writeTar writes the files and returns an upper bound on the number of bytes written.
func writeTar(out *tar.Writer, folder string, files []File) (int, error) {
	size := 0
	for _, file := range files {
		header := &tar.Header{
			Typeflag: tar.TypeReg,
			Name:     folder + "/" + file.Name,
			Mode:     0o644,
			Size:     int64(len(file.Data)),
			ModTime:  packedAt,
		}
		if err := out.WriteHeader(header); err != nil {
			return 0, fmt.Errorf("file %q: %w", file.Name, err)
		}
		if _, err := out.Write(file.Data); err != nil {
			return 0, fmt.Errorf("file %q: %w", file.Name, err)
		}
		size += len(file.Data) + blockBytes
	}
	return size, out.Close()
}
