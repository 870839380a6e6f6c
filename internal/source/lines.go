package source

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// line is one line of a text, without its end. It is valid until the next one is
// read.
type line struct {
	raw []byte
	// indent is the number of spaces it begins with, and text what follows them.
	indent int
	text   []byte
	// number counts from 1.
	number int
	// cut says that it was longer than maxEntry and its end is missing.
	cut bool
}

func (l line) isBlank() bool   { return len(trimBlanks(l.text)) == 0 }
func (l line) isComment() bool { return len(l.text) > 0 && l.text[0] == '#' }

// isMarker reports whether a YAML document begins or ends here.
func (l line) isMarker() bool {
	return l.indent == 0 && len(l.text) >= 3 && endsToken(l.text[3:]) &&
		(bytes.HasPrefix(l.text, []byte("---")) || bytes.HasPrefix(l.text, []byte("...")))
}

// isItem reports whether an item of a sequence begins here.
func (l line) isItem() bool {
	return len(l.text) > 0 && l.text[0] == '-' && endsToken(l.text[1:])
}

// lines reads a text line by line and looks one line ahead, in bounded memory.
type lines struct {
	in   *bufio.Reader
	long []byte
	now  line
	err  error
}

func newLines(r io.Reader) *lines {
	l := &lines{in: bufio.NewReaderSize(r, 64<<10)}
	l.advance()
	return l
}

// peek gives the present line, until the end or an error.
func (l *lines) peek() (line, bool) {
	return l.now, l.err == nil
}

// failure is why there are no more lines; nil at the end of the text.
func (l *lines) failure() error {
	if errors.Is(l.err, io.EOF) {
		return nil
	}
	return l.err
}

// advance reads the next line.
func (l *lines) advance() {
	if l.err != nil {
		return
	}
	raw, cut, err := l.read()
	if err != nil {
		l.err = err
		return
	}
	raw = bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	if bytes.IndexByte(raw, '\r') >= 0 {
		l.err = &layoutError{l.now.number + 1, "carriage return inside a line"}
		return
	}
	text := bytes.TrimLeft(raw, " ")
	l.now = line{raw: raw, indent: len(raw) - len(text), text: text, number: l.now.number + 1, cut: cut}
}

// read gives the next line with its end; io.EOF only if there is nothing left.
func (l *lines) read() (raw []byte, cut bool, err error) {
	raw, err = l.in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return raw, false, unlessRead(raw, err)
	}
	l.long = append(l.long[:0], raw...)
	for errors.Is(err, bufio.ErrBufferFull) {
		raw, err = l.in.ReadSlice('\n')
		room := maxEntry + 1 - len(l.long)
		l.long = append(l.long, raw[:min(len(raw), room)]...)
		cut = cut || len(raw) > room
	}
	return l.long, cut, unlessRead(l.long, err)
}

// unlessRead drops the end of the text as an error where a last line without an
// end was read before it.
func unlessRead(raw []byte, err error) error {
	if errors.Is(err, io.EOF) && len(raw) > 0 {
		return nil
	}
	return err
}
