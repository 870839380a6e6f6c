package source

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
	// maxIndex bounds an index, in bytes as they are unpacked.
	maxIndex = 256 << 20
	// maxEntry bounds what is read of one chart version, in bytes.
	maxEntry = 1 << 20
	// maxWhole bounds an index that is not in the style that can be read as a
	// stream.
	maxWhole = 4 << 20
)

var (
	errNotIndex = errors.New("not the index of a Helm repository: apiVersion or entries is missing")
	errHTML     = errors.New("the server answered an HTML page in place of the index")
)

// readIndex takes in an index. Errors of reading come back as they are; those of
// the index are stalled.
func readIndex(r io.Reader, chosen selection) (*shelf, error) {
	in := &intake{in: r}
	shelf := newShelf(chosen, v1alpha1.ReasonInvalidIndex)
	doubtful, err := stream(bufio.NewReaderSize(in, 64<<10), shelf)
	if in.fault != nil {
		return nil, in.fault
	}
	if err == nil && doubtful == nil {
		return shelf, nil
	}
	_, odd := errors.AsType[*layoutError](err)
	if err != nil && !odd {
		return nil, invalidIndex(err)
	}
	shelf.incomplete = true // Unless the whole can be parsed.
	text, whole, fault := in.whole()
	switch {
	case fault != nil:
		return nil, fault
	case !whole && odd:
		return nil, invalidIndex(fmt.Errorf("%w, in a layout that is only read up to %d bytes", err, maxWhole))
	case !whole:
		return shelf, nil
	}
	second := newShelf(chosen, v1alpha1.ReasonInvalidIndex)
	if err := readWhole(text, second); err != nil {
		if !odd {
			return shelf, nil // The entry in doubt is not YAML; the others are good.
		}
		return nil, err
	}
	return second, nil
}

// stream reads an index piece by piece. An entry in doubt was skipped, but might
// be read if the index is parsed as a whole.
func stream(in *bufio.Reader, shelf *shelf) (doubtful, err error) {
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
		r := newJSONReader(in, shelf)
		return nil, unlessIndex(jsonFailure(r.read()), r.hasVersion, r.hasEntries)
	}
	s := splitter{lines: newLines(in), shelf: shelf}
	err = s.split()
	return s.doubtful, unlessIndex(err, s.hasVersion, s.hasEntries)
}

func unlessIndex(err error, hasVersion, hasEntries bool) error {
	if err == nil && (!hasVersion || !hasEntries) {
		return errNotIndex
	}
	return err
}

// jsonFailure tells what is not JSON from what is too large or not taken in.
func jsonFailure(err error) error {
	if errors.Is(err, errValueTooLarge) {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, err)
	}
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	if syntax || mistyped || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &layoutError{what: text.Truncate(err.Error(), 200)}
	}
	return err
}

// intake passes a text on, bounds it, remembers why reading it failed, and keeps
// the whole of it as long as it is small.
type intake struct {
	in    io.Reader
	read  int64
	kept  []byte
	fault error
}

func (i *intake) Read(p []byte) (int, error) {
	if i.fault != nil {
		return 0, i.fault
	}
	n, err := i.in.Read(p)
	i.read += int64(n)
	if i.read > maxIndex {
		i.fault = outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("read index: it is larger than %d bytes", maxIndex))
		return 0, i.fault
	}
	if i.read <= maxWhole {
		i.kept = append(i.kept, p[:n]...)
	} else {
		i.kept = nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		i.fault = err
	}
	return n, err
}

// whole reads to the end and gives the whole text, if it is small enough.
func (i *intake) whole() (text []byte, ok bool, err error) {
	if i.read <= maxWhole {
		if _, err := io.CopyN(io.Discard, i, maxWhole+1-i.read); err != nil && !errors.Is(err, io.EOF) {
			return nil, false, err
		}
	}
	return i.kept, i.read <= maxWhole, nil
}
