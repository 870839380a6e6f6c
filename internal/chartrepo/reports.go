package chartrepo

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Limits of the reports of one publication. The reports of the largest real app have 2 MB.
const (
	maxReports     = 256
	maxReportBytes = 64 << 20
	// maxBlobBytes is the maximum size of packed reports, which can be larger than an archive: their content, and
	// two headers with the name for each of them.
	maxBlobBytes = maxReportBytes + 1<<20
)

// packReports returns one blob with all reports: a zip file without compression, sorted by
// name. Its digest covers all names and contents, and one file can be read without reading
// the others.
func packReports(reports map[string][]byte) ([]byte, error) {
	size := 0
	for name, content := range reports {
		if !namePattern.MatchString(name) {
			return nil, outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf("pack reports: %q is not a valid file name", name))
		}
		size += len(content)
	}
	if len(reports) > maxReports || size > maxReportBytes {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded,
			fmt.Errorf("pack reports: more than %d files or %d bytes", maxReports, maxReportBytes))
	}
	packed := bytes.NewBuffer(make([]byte, 0, size+256*len(reports)))
	archive := zip.NewWriter(packed)
	for _, name := range slices.Sorted(maps.Keys(reports)) {
		content := reports[name]
		w, err := archive.CreateRaw(&zip.FileHeader{
			Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(content),
			CompressedSize64: uint64(len(content)), UncompressedSize64: uint64(len(content)),
		})
		if err != nil {
			return nil, fmt.Errorf("pack report %q: %w", name, err)
		}
		if _, err := w.Write(content); err != nil {
			return nil, fmt.Errorf("pack report %q: %w", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("pack reports: %w", err)
	}
	return packed.Bytes(), nil
}

// findReport returns one file of packed reports.
func findReport(packed io.ReaderAt, size int64, name string) (*zip.File, error) {
	archive, err := zip.NewReader(packed, size)
	if err != nil {
		// The digest may belong to a chart archive.
		return nil, errors.Join(fs.ErrNotExist, err)
	}
	for _, file := range archive.File {
		// Files that are not compressed have one size. With another one, a reader would continue in the next file.
		if file.Name != name || file.Method != zip.Store || file.UncompressedSize64 != file.CompressedSize64 {
			continue
		}
		offset, err := file.DataOffset()
		if err == nil && (offset < 0 || offset > size || file.CompressedSize64 > uint64(size-offset)) {
			err = zip.ErrFormat // The file would be outside of the content.
		}
		if err != nil {
			return nil, fmt.Errorf("find report %q: %w", name, err)
		}
		return file, nil
	}
	return nil, fmt.Errorf("find report %q: %w", name, fs.ErrNotExist)
}

// readReport reads a file of packed reports and verifies its checksum.
func readReport(file *zip.File) (data []byte, err error) {
	r, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data = make([]byte, 0, min(file.UncompressedSize64, maxReportBytes)+1)
	buffer := bytes.NewBuffer(data)
	_, err = buffer.ReadFrom(r)
	return buffer.Bytes(), err
}

// reportContentType returns the content type of a report. Reports contain untrusted text, so
// it never returns the type of a page or a script.
func reportContentType(name string) []string {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml":
		return contentTypeYAML
	case ".json":
		return contentTypeJSON
	case ".md", ".txt":
		return contentTypeText
	default:
		return contentTypeBytes
	}
}
