// Package index reads the index of a Helm repository, usually index.yaml.
//
// An index in block style, which is the style of all common tools, or in JSON is
// read as a stream, one chart version at a time, so that its size does not
// determine how much memory is used. An index in another layout is parsed as a
// whole if it is not larger than 4 MiB. Of each entry only the fields of Entry are
// read.
//
// An index is untrusted input. The size of the index, the size of each entry, the
// number of YAML nodes and the number of keys that aliases repeat are bounded. An
// entry that cannot be read is reported to the Collector, and the other entries
// are read nevertheless.
package index

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

const (
	// maxIndexBytes is the maximum size of an uncompressed index.
	maxIndexBytes = 256 << 20
	// maxEntryBytes is the maximum size of one entry, which is one chart version.
	maxEntryBytes = 1 << 20
	// maxDocumentBytes is the maximum size of an index that must be parsed as a
	// whole, because it has a layout that cannot be read as a stream.
	maxDocumentBytes = 4 << 20
)

var (
	errNotIndex = errors.New("not the index of a Helm repository: apiVersion or entries is missing")
	errHTML     = errors.New("the server returned an HTML page instead of an index")
)

// Collector receives the entries of an index in the order in which they are
// listed.
type Collector interface {
	// Wants reports whether the entries of an app are read.
	Wants(app string) bool
	// Add receives an entry that is listed under the name of an app. The reading
	// ends with the error that Add returns.
	Add(app string, entry Entry) error
	// Skip receives the reason why an entry of an app cannot be read.
	Skip(app string, err error)
}

// Read reads an index into a collector that newCollector returns. If the index
// cannot be read as a stream, it is read again into a second collector. Complete
// is false if a part of the index is not valid YAML, so that the collector may
// lack apps. Errors of the reader are returned unchanged; errors of the index are
// stalled with InvalidIndex or LimitExceeded.
func Read[C Collector](reader io.Reader, newCollector func() C) (collector C, complete bool, err error) {
	var none C
	in := &limitReader{in: reader}
	collector = newCollector()
	unreadable, err := readStream(bufio.NewReaderSize(in, 64<<10), collector)
	if in.err != nil {
		return none, false, in.err
	}
	if err == nil && unreadable == nil {
		return collector, true, nil
	}
	_, otherLayout := errors.AsType[*layoutError](err)
	if err != nil && !otherLayout {
		return none, false, invalidIndexError(err)
	}
	content, isWhole, readErr := in.readRest()
	switch {
	case readErr != nil:
		return none, false, readErr
	case !isWhole && otherLayout:
		return none, false, invalidIndexError(fmt.Errorf("%w, and an index in this layout must not be larger than %d bytes", err, maxDocumentBytes))
	case !isWhole:
		return collector, false, nil
	}
	second := newCollector()
	if err := readDocument(content, second); err != nil {
		if !otherLayout {
			return collector, false, nil // Only the unreadable entry is not valid YAML.
		}
		return none, false, err
	}
	return second, true, nil
}

// readStream reads an index entry by entry. It returns as unreadable the error of
// an entry that was skipped, but may be valid in the context of the whole index.
func readStream(in *bufio.Reader, collector Collector) (unreadable, err error) {
	start, err := in.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(start, []byte("\xef\xbb\xbf")) {
		if _, err := in.Discard(3); err != nil {
			return nil, err
		}
		start = start[3:]
	}
	start = bytes.TrimLeft(start, " \t\r\n")
	switch {
	case bytes.HasPrefix(start, []byte("<")):
		return nil, errHTML
	case bytes.HasPrefix(start, []byte("{")):
		r := newJSONReader(in, collector)
		return nil, checkIsIndex(classifyJSONError(r.decodeIndex()), r.hasVersion, r.hasEntries)
	}
	s := indexSplitter{lineReader: newLineReader(in), collector: collector}
	err = s.splitIndex()
	return s.unreadable, checkIsIndex(err, s.hasVersion, s.hasEntries)
}

// checkIsIndex returns err, or errNotIndex if a required key of an index is missing.
func checkIsIndex(err error, hasVersion, hasEntries bool) error {
	if err == nil && (!hasVersion || !hasEntries) {
		return errNotIndex
	}
	return err
}

// classifyJSONError returns a layoutError for invalid JSON, a stalled error for a
// value that is too large, and any other error unchanged.
func classifyJSONError(err error) error {
	if errors.Is(err, errValueTooLarge) {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, err)
	}
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	if syntax || mistyped || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &layoutError{problem: text.Truncate(err.Error(), 200)}
	}
	return err
}

// limitReader reads an index up to the maximum size. It stores the first error, and
// the content while that is small enough to be parsed as a whole.
type limitReader struct {
	in      io.Reader
	read    int64
	content []byte
	err     error
}

func (l *limitReader) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.in.Read(p)
	l.read += int64(n)
	if l.read > maxIndexBytes {
		l.err = outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("read index: larger than %d bytes", maxIndexBytes))
		return 0, l.err
	}
	if l.read <= maxDocumentBytes {
		l.content = append(l.content, p[:n]...)
	} else {
		l.content = nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
	return n, err
}

// readRest reads to the end and returns the whole content. It reports false if the
// content is too large to be parsed as a whole.
func (l *limitReader) readRest() (content []byte, isWhole bool, err error) {
	if l.read <= maxDocumentBytes {
		if _, err := io.CopyN(io.Discard, l, maxDocumentBytes+1-l.read); err != nil && !errors.Is(err, io.EOF) {
			return nil, false, err
		}
	}
	return l.content, l.read <= maxDocumentBytes, nil
}
