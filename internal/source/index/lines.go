package index

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// indexLine is one line of an index without its line end. It is valid until the
// next line is read.
type indexLine struct {
	raw []byte
	// indent is the number of leading spaces, and text is the rest of the line.
	indent int
	text   []byte
	// number is the line number, beginning with 1.
	number int
	// isTruncated is set if the line was longer than maxEntryBytes.
	isTruncated bool
}

func (l indexLine) isBlank() bool   { return len(trimBlanks(l.text)) == 0 }
func (l indexLine) isComment() bool { return len(l.text) > 0 && l.text[0] == '#' }

// isMarker reports whether a YAML document begins or ends at the line.
func (l indexLine) isMarker() bool {
	return l.indent == 0 && len(l.text) >= 3 && endsToken(l.text[3:]) &&
		(bytes.HasPrefix(l.text, []byte("---")) || bytes.HasPrefix(l.text, []byte("...")))
}

// isItem reports whether an item of a sequence begins at the line.
func (l indexLine) isItem() bool {
	return len(l.text) > 0 && l.text[0] == '-' && endsToken(l.text[1:])
}

// lineReader reads an index line by line with one line of lookahead, in bounded
// memory.
type lineReader struct {
	in *bufio.Reader
	// longLine is the buffer of lines that are longer than the buffer of in.
	longLine []byte
	current  indexLine
	err      error
}

func newLineReader(r io.Reader) *lineReader {
	l := &lineReader{in: bufio.NewReaderSize(r, 64<<10)}
	l.nextLine()
	return l
}

// currentLine returns the current line. It reports false after the last line or an
// error.
func (l *lineReader) currentLine() (indexLine, bool) {
	return l.current, l.err == nil
}

// readError returns the error that ended the reading, or nil at the end of the
// index.
func (l *lineReader) readError() error {
	if errors.Is(l.err, io.EOF) {
		return nil
	}
	return l.err
}

// nextLine makes the next line the current one.
func (l *lineReader) nextLine() {
	if l.err != nil {
		return
	}
	raw, isTruncated, err := l.readRaw()
	if err != nil {
		l.err = err
		return
	}
	raw = bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	if bytes.IndexByte(raw, '\r') >= 0 {
		l.err = &layoutError{l.current.number + 1, "a carriage return is not at the end of the line"}
		return
	}
	text := bytes.TrimLeft(raw, " ")
	l.current = indexLine{raw: raw, indent: len(raw) - len(text), text: text, number: l.current.number + 1, isTruncated: isTruncated}
}

// readRaw returns the next line with its line end, or io.EOF if there is none.
func (l *lineReader) readRaw() (raw []byte, isTruncated bool, err error) {
	raw, err = l.in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return raw, false, ignoreEOF(raw, err)
	}
	l.longLine = append(l.longLine[:0], raw...)
	for errors.Is(err, bufio.ErrBufferFull) {
		raw, err = l.in.ReadSlice('\n')
		room := maxEntryBytes + 1 - len(l.longLine)
		l.longLine = append(l.longLine, raw[:min(len(raw), room)]...)
		isTruncated = isTruncated || len(raw) > room
	}
	return l.longLine, isTruncated, ignoreEOF(l.longLine, err)
}

// ignoreEOF returns nil instead of io.EOF if a last line without a line end was
// read.
func ignoreEOF(raw []byte, err error) error {
	if errors.Is(err, io.EOF) && len(raw) > 0 {
		return nil
	}
	return err
}
