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

// packedAt is the time that every packed file bears. It is not the beginning of
// Unix time, which some tools take for a mistake.
var packedAt = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// zippers keeps compressors, which are large, for the next archive.
var zippers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// Pack makes the archive of a chart: a gzipped tar of one folder, which bears
// the chart's name, with Chart.yaml first and the rest by name. The same files
// give the same bytes in every run of one build; another release of Go may
// compress otherwise. What Pack returns is what Unpack accepts, so files that
// CheckFiles refuses are refused here too, for the same reasons.
func Pack(name string, files []File) ([]byte, error) {
	if err := CheckFiles(files); err != nil {
		return nil, fmt.Errorf("pack chart %q: %w", name, err)
	}
	if err := checkName(name); err != nil || strings.Contains(name, "/") {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "pack chart %q: not the name of a folder", name)
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
		return nil, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "pack chart %q: an archive of %d bytes for %d bytes of files is over the limits", name, out.Len(), size)
	}
	return out.Bytes(), nil
}

// packOrder is Chart.yaml, by which Helm knows a chart, and the rest by name.
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

// writeTar returns an upper bound on the length of what it wrote.
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
