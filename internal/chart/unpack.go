package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

// freeBytes is the number of bytes that an archive may always unpack to, regardless of
// MaxRatio, because tar pads even the smallest chart to 10,240 bytes. blockBytes is the
// maximum overhead of tar for one entry, in addition to its content.
const (
	freeBytes  = 1 << 20
	blockBytes = 4 << 10
)

// errTooMuch reports that an archive unpacks to more bytes than allowed.
var errTooMuch = errors.New("unpacked size exceeds the limit")

// Unpack reads a gzipped tar that contains one chart folder and returns its files, sorted
// by name, with names relative to that folder. Folders are skipped. Entries that are
// neither a file nor a folder are rejected, and so are names that leave the folder or that
// are equal on some file systems. The limits of this package are enforced while reading.
// Every error is Stalled with InvalidArchive or LimitExceeded; an error about an entry
// names it.
func Unpack(archive []byte) ([]File, error) {
	if len(archive) > MaxArchiveBytes {
		return nil, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "unpack chart: archive has %d bytes, at most %d are allowed", len(archive), MaxArchiveBytes)
	}
	unzipped := members{rest: bytes.NewReader(archive)}
	if err := unzipped.openNextMember(); err != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "unpack chart: not a gzip archive: %s", contentHint(archive))
	}
	u := unpacker{
		stream: &boundedReader{from: &unzipped, left: int64(unpackedBound(len(archive)))},
		names:  newNames(),
	}
	u.tar = tar.NewReader(u.stream)
	if err := u.readEntries(); err != nil {
		return nil, u.toStalledError(err)
	}
	// Read to the end to detect a truncated archive.
	if _, err := io.Copy(io.Discard, u.stream); err != nil {
		return nil, u.toStalledError(err)
	}
	if len(u.files) == 0 {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "unpack chart: the archive has no files")
	}
	sortFiles(u.files)
	return u.files, nil
}

// unpackedBound returns the maximum number of bytes that an archive of the given size may
// unpack to.
func unpackedBound(archive int) int {
	return max(freeBytes, min(archive*MaxRatio, MaxUnpackedBytes+MaxFiles*blockBytes))
}

// CheckFiles applies the rules of Unpack to the files of a chart that is stored as a
// folder: their number, sizes and names.
func CheckFiles(files []File) error {
	if len(files) == 0 {
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "check chart: the folder has no files")
	}
	if len(files) > MaxFiles {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "check chart: %d files, at most %d are allowed", len(files), MaxFiles)
	}
	names, total := newNames(), 0
	for _, file := range files {
		if err := checkName(file.Name); err != nil {
			return fmt.Errorf("check chart: %w", err)
		}
		if err := names.addFile(file.Name); err != nil {
			return fmt.Errorf("check chart: %w", err)
		}
		if err := checkSize(file.Name, int64(len(file.Data))); err != nil {
			return fmt.Errorf("check chart: %w", err)
		}
		if total += len(file.Data); total > MaxUnpackedBytes {
			return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "check chart: more than %d bytes in total", MaxUnpackedBytes)
		}
	}
	return nil
}

// unpacker is the state of reading one archive.
type unpacker struct {
	stream *boundedReader
	tar    *tar.Reader
	names  *nameSet
	files  []File
	top    string
	seen   int
	total  int64
}

// readEntries reads all entries. Errors of the tar and gzip readers are returned without a
// reason; toStalledError adds it.
func (u *unpacker) readEntries() error {
	for {
		header, err := u.tar.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if u.seen++; u.seen > MaxFiles {
			return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "more than %d entries", MaxFiles)
		}
		if err := u.readEntry(header); err != nil {
			return err
		}
	}
}

func (u *unpacker) readEntry(header *tar.Header) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	if err := checkKind(header); err != nil {
		return err
	}
	full, isFolder, err := withSlashes(header)
	if err != nil {
		return err
	}
	name, err := u.relativeName(header.Name, full)
	if err != nil {
		return err
	}
	if isFolder {
		return u.names.addFolder(name)
	}
	if name == "" {
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q is outside the chart's folder", header.Name)
	}
	if err := u.names.addFile(name); err != nil {
		return err
	}
	if err := checkSize(header.Name, header.Size); err != nil {
		return err
	}
	if u.total += header.Size; u.total > MaxUnpackedBytes {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "entry %q: more than %d bytes in total", header.Name, MaxUnpackedBytes)
	}
	data := make([]byte, header.Size)
	if _, err := io.ReadFull(u.tar, data); err != nil {
		return fmt.Errorf("entry %q: %w", header.Name, err)
	}
	u.files = append(u.files, File{Name: name, Data: data})
	return nil
}

// withSlashes returns the name of an entry with forward slashes and without a trailing slash,
// and whether the entry is a folder. Some tools on Windows write backslashes, which Helm
// also reads as separators. A name with both is rejected because Helm reads the part before
// the first backslash as the chart's folder.
func withSlashes(header *tar.Header) (name string, isFolder bool, err error) {
	name = header.Name
	if strings.Contains(name, `\`) {
		if strings.Contains(name, "/") {
			return "", false, outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q has both a slash and a backslash in its name", name)
		}
		name = strings.ReplaceAll(name, `\`, "/")
	}
	isFolder = header.Typeflag == tar.TypeDir || header.Size == 0 && strings.HasSuffix(name, "/")
	if isFolder {
		name = strings.TrimSuffix(name, "/")
	}
	return name, isFolder, nil
}

// relativeName checks the name of an entry and removes the chart's folder from it. full is the
// name with forward slashes. The result is empty for the chart's folder itself. As in Helm,
// "web/./a" is the same name as "web/a".
func (u *unpacker) relativeName(entry, full string) (string, error) {
	top, name, nested := strings.Cut(full, "/")
	switch {
	case top == "" || top == ".." || isDrive(top):
		return "", outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q points outside the chart's folder", entry)
	case u.top == "":
		if err := checkLetters(top); err != nil {
			return "", err
		}
		u.top = top
	case u.top != top:
		return "", outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q is outside the chart's folder %q", entry, u.top)
	}
	if !nested {
		return "", nil
	}
	if name != "" {
		name = path.Clean(name)
	}
	if err := checkName(name); err != nil {
		return "", fmt.Errorf("folder %q: %w", top, err)
	}
	return name, nil
}

// toStalledError converts an error of entries to a Stalled error, if it is not one already.
func (u *unpacker) toStalledError(err error) error {
	switch {
	case errors.Is(err, errTooMuch):
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "unpack chart: more than %d bytes, or more than %d times the size of the archive", MaxUnpackedBytes, MaxRatio)
	case outcome.IsStalled(err):
		return fmt.Errorf("unpack chart: %w", err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "unpack chart: unexpected end of archive after %s", text.Count(len(u.files), "file", "files"))
	default:
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "unpack chart: after %s: %w", text.Count(len(u.files), "file", "files"), err)
	}
}

// checkKind rejects entries that are neither plain files nor folders. Sparse files are
// rejected because their size in the archive does not limit the number of bytes that are
// read.
func checkKind(header *tar.Header) error {
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeSymlink, tar.TypeLink:
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q is a link", header.Name)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q is a device or a pipe", header.Name)
	default:
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q has unsupported type %q", header.Name, header.Typeflag)
	}
	for key := range header.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q is a sparse file", header.Name)
		}
	}
	return nil
}

func checkSize(name string, size int64) error {
	if size > MaxFileBytes {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "file %q has %d bytes, at most %d are allowed", name, size, MaxFileBytes)
	}
	return nil
}

// members reads the members of a gzip stream in sequence. Unlike gzip.Reader in multistream
// mode, it ignores trailing bytes that do not start a member, because some servers and
// tools append such bytes.
type members struct {
	rest   *bytes.Reader
	zipped gzip.Reader
}

func (m *members) Read(p []byte) (int, error) {
	n, err := m.zipped.Read(p)
	if errors.Is(err, io.EOF) && m.hasNextMember() {
		err = m.openNextMember()
	}
	return n, err
}

func (m *members) hasNextMember() bool {
	var magic [2]byte
	_, err := m.rest.ReadAt(magic[:], m.rest.Size()-int64(m.rest.Len()))
	return err == nil && magic == [2]byte{0x1f, 0x8b}
}

func (m *members) openNextMember() error {
	err := m.zipped.Reset(m.rest)
	m.zipped.Multistream(false)
	return err
}

// boundedReader returns errTooMuch after reading more than left bytes.
type boundedReader struct {
	from io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooMuch
	}
	return n, err
}

// contentHint describes the type of data that is not a gzip archive. It does not quote the
// data: the data may come from a server that the reader of the message has no access to.
func contentHint(data []byte) string {
	start := bytes.TrimLeft(data[:min(len(data), 512)], " \t\r\n\ufeff")
	switch {
	case len(data) == 0:
		return "the content is empty"
	case bytes.HasPrefix(start, []byte("<")):
		return "the content looks like HTML or XML"
	case bytes.HasPrefix(start, []byte("{")), bytes.HasPrefix(start, []byte("[")):
		return "the content looks like JSON"
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return "the content is a zip archive"
	case utf8.Valid(start[:max(0, len(start)-utf8.UTFMax)]):
		return "the content looks like text"
	}
	return "the content has an unknown type"
}
