package source

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// layoutError says that an index is written in a way that the splitter does not
// follow. It may still be a good index. The line is zero in JSON.
type layoutError struct {
	line int
	what string
}

func (e *layoutError) Error() string {
	if e.line == 0 {
		return e.what
	}
	return fmt.Sprintf("line %d: %s", e.line, e.what)
}

// splitter walks an index in block style, such as every tool writes it, by its
// indentation alone, and hands the entries on one by one:
//
//	apiVersion: v1
//	entries:
//	  app:
//	  - name: app          one entry, to the next line that is not
//	    version: 1.0.0     indented deeper than its dash
//
// Whatever stands below a key is indented deeper than the key, or is a sequence
// whose dashes stand below its first letter. So all that is not asked for can be
// passed over without reading it, and what cannot be told from the start of a
// line is a layoutError.
type splitter struct {
	*lines
	shelf *shelf
	// chunk holds the present entry, which begins in the line first.
	chunk []byte
	first int
	// hasVersion and hasEntries say that the keys apiVersion and entries were met.
	hasVersion bool
	hasEntries bool
	// doubtful is an entry that could not be read by itself: it may refer to an
	// anchor elsewhere, or be no YAML at all.
	doubtful error
}

// split reads the first document of an index.
func (s *splitter) split() error {
	if l, ok := s.skipSpace(); ok && l.isMarker() && string(trimBlanks(l.text)) == "---" {
		s.advance()
	}
	for {
		l, ok := s.skipSpace()
		if !ok || l.isMarker() {
			return s.failure()
		}
		key, value, ok := splitKey(l.text)
		if !ok || l.indent != 0 {
			return s.unclear("not a key of an index")
		}
		if err := s.topLevel(string(key), bytes.Clone(value)); err != nil {
			return err
		}
	}
}

func (s *splitter) topLevel(key string, value []byte) error {
	s.advance()
	switch key {
	case "apiVersion":
		text, ok := scalar(value)
		if next, more := s.skipSpace(); !ok || more && next.indent > 0 {
			return s.unclear("apiVersion is not a plain text")
		}
		s.hasVersion = len(text) > 0
	case "entries":
		s.hasEntries = true
		return s.entries(value)
	default:
		s.pass(0, value)
	}
	return nil
}

// entries reads the map of apps.
func (s *splitter) entries(value []byte) error {
	if !isEmpty(value) && !isNull(value) && string(value) != "{}" {
		return s.unclear("entries is not a block of lines")
	}
	for indent := -1; ; {
		l, ok := s.skipSpace()
		if !ok || l.indent == 0 {
			return nil
		}
		if indent < 0 && isEmpty(value) {
			indent = l.indent
		}
		key, list, ok := splitKey(l.text)
		if !ok || l.indent != indent {
			return s.unclear("not the name of an app")
		}
		if err := s.app(indent, string(key), bytes.Clone(list)); err != nil {
			return err
		}
	}
}

// app reads the list of the versions of one app, whose key is indented so far.
func (s *splitter) app(indent int, name string, list []byte) error {
	s.advance()
	if !s.shelf.wants(name) {
		s.pass(indent, list)
		return nil
	}
	empty := isNull(list) || string(list) == "[]"
	if !isEmpty(list) && !empty {
		return s.unclear("the versions of an app are not a block of lines")
	}
	for dash := -1; ; {
		l, ok := s.skipSpace()
		if !ok || l.indent < indent || l.indent == indent && !l.isItem() {
			return nil
		}
		if dash < 0 && !empty {
			dash = l.indent
		}
		if !l.isItem() || l.indent != dash {
			return s.unclear("not a version of an app")
		}
		if err := s.entry(dash, name); err != nil {
			return err
		}
	}
}

// entry collects the lines of one entry and reads it.
func (s *splitter) entry(dash int, name string) error {
	s.chunk, s.first = s.chunk[:0], s.now.number
	tooLarge := false
	for first := true; ; first = false {
		l, ok := s.peek()
		if !ok || !first && l.indent <= dash && !l.isBlank() && !l.isComment() {
			break
		}
		if tooLarge = tooLarge || l.cut || len(s.chunk)+len(l.raw) > maxEntry; !tooLarge {
			if l.indent > dash || first {
				s.chunk = append(s.chunk, l.raw...)
			}
			s.chunk = append(s.chunk, '\n')
		}
		s.advance()
	}
	if s.failure() != nil {
		return s.failure()
	}
	if tooLarge {
		s.shelf.skip(name, v1alpha1.ReasonLimitExceeded, fmt.Errorf("an entry of the index is larger than %d bytes", maxEntry))
		return nil
	}
	return s.take(name)
}

// take reads the chunk: by its lines where that is enough, which it nearly always
// is, and otherwise with the YAML parser.
func (s *splitter) take(name string) error {
	if e, ok := readPlain(s.chunk); ok {
		return s.shelf.add(name, e)
	}
	e, err := parseEntry(s.chunk, s.first)
	if err != nil {
		if errors.Is(err, errNotYAML) && s.doubtful == nil {
			s.doubtful = err
		}
		s.shelf.skip(name, outcome.Reason(err, s.shelf.reason), err)
		return nil
	}
	return s.shelf.add(name, e)
}

// pass goes on behind the value of a key that is indented so far.
func (s *splitter) pass(indent int, value []byte) {
	for {
		l, ok := s.peek()
		below := l.indent > indent || l.isBlank() || l.isComment() || l.indent == indent && isEmpty(value) && l.isItem()
		if !ok || !below {
			return
		}
		s.advance()
	}
}

// skipSpace goes to the next line that says something.
func (s *splitter) skipSpace() (line, bool) {
	for {
		l, ok := s.peek()
		if !ok || !l.isBlank() && !l.isComment() {
			return l, ok
		}
		s.advance()
	}
}

// unclear is a failure to read, or else that of the layout.
func (s *splitter) unclear(what string) error {
	if err := s.failure(); err != nil {
		return err
	}
	return &layoutError{s.now.number, what}
}
