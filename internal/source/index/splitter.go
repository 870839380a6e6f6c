package index

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// layoutError is returned for an index in a layout that cannot be read as a
// stream. The index may be valid. The line is zero in JSON.
type layoutError struct {
	line    int
	problem string
}

func (e *layoutError) Error() string {
	if e.line == 0 {
		return e.problem
	}
	return fmt.Sprintf("line %d: %s", e.line, e.problem)
}

// indexSplitter splits an index in block style, in which all common tools write
// it, into its entries by the indentation of the lines:
//
//	apiVersion: v1
//	entries:
//	  app:
//	  - name: app          one entry, up to the next line that is not
//	    version: 1.0.0     indented deeper than its dash
//
// The value of a key is indented deeper than the key, or is a sequence whose
// dashes have the indentation of the key. Values that are not needed are therefore
// skipped without parsing them. A line whose meaning does not follow from its start
// is a layoutError.
type indexSplitter struct {
	*lineReader
	collector Collector
	// chunk contains the lines of the current entry, which begins at firstLine.
	chunk     []byte
	firstLine int
	// hasVersion and hasEntries are set once the keys apiVersion and entries are
	// read.
	hasVersion bool
	hasEntries bool
	// unreadable is the error of an entry that is not valid YAML on its own. The
	// entry may refer to an anchor in another entry.
	unreadable error
}

// splitIndex splits the first document of an index.
func (s *indexSplitter) splitIndex() error {
	if l, ok := s.skipBlankLines(); ok && l.isMarker() && string(trimBlanks(l.text)) == "---" {
		s.nextLine()
	}
	for {
		l, ok := s.skipBlankLines()
		if !ok || l.isMarker() {
			return s.readError()
		}
		key, value, ok := splitKey(l.text)
		if !ok || l.indent != 0 {
			return s.newLayoutError("a key of an index is expected here")
		}
		if err := s.splitTopLevel(string(key), bytes.Clone(value)); err != nil {
			return err
		}
	}
}

// splitTopLevel reads the value of a key at the top level.
func (s *indexSplitter) splitTopLevel(key string, value []byte) error {
	s.nextLine()
	switch key {
	case "apiVersion":
		text, ok := parseScalar(value)
		if next, more := s.skipBlankLines(); !ok || more && next.indent > 0 {
			return s.newLayoutError("the value of apiVersion must be on one line")
		}
		s.hasVersion = len(text) > 0
	case "entries":
		s.hasEntries = true
		return s.splitApps(value)
	default:
		s.skipValue(0, value)
	}
	return nil
}

// splitApps reads the map of apps.
func (s *indexSplitter) splitApps(value []byte) error {
	if !isEmpty(value) && !isNull(value) && string(value) != "{}" {
		return s.newLayoutError("entries must be a map with one app per line")
	}
	for indent := -1; ; {
		l, ok := s.skipBlankLines()
		if !ok || l.indent == 0 {
			return nil
		}
		if indent < 0 && isEmpty(value) {
			indent = l.indent
		}
		key, list, ok := splitKey(l.text)
		if !ok || l.indent != indent {
			return s.newLayoutError("the name of an app is expected here")
		}
		if err := s.splitApp(indent, string(key), bytes.Clone(list)); err != nil {
			return err
		}
	}
}

// splitApp reads the list of the entries of an app, whose key has an indentation.
func (s *indexSplitter) splitApp(indent int, name string, list []byte) error {
	s.nextLine()
	if !s.collector.Wants(name) {
		s.skipValue(indent, list)
		return nil
	}
	isListEmpty := isNull(list) || string(list) == "[]"
	if !isEmpty(list) && !isListEmpty {
		return s.newLayoutError("the entries of an app must be a list with one item per line")
	}
	for dash := -1; ; {
		l, ok := s.skipBlankLines()
		if !ok || l.indent < indent || l.indent == indent && !l.isItem() {
			return nil
		}
		if dash < 0 && !isListEmpty {
			dash = l.indent
		}
		if !l.isItem() || l.indent != dash {
			return s.newLayoutError("an entry of an app is expected here")
		}
		if err := s.splitEntry(dash, name); err != nil {
			return err
		}
	}
}

// splitEntry collects the lines of one entry and parses them.
func (s *indexSplitter) splitEntry(dash int, name string) error {
	s.chunk, s.firstLine = s.chunk[:0], s.current.number
	tooLarge := false
	for isFirst := true; ; isFirst = false {
		l, ok := s.currentLine()
		if !ok || !isFirst && l.indent <= dash && !l.isBlank() && !l.isComment() {
			break
		}
		if tooLarge = tooLarge || l.isTruncated || len(s.chunk)+len(l.raw) > maxEntryBytes; !tooLarge {
			if l.indent > dash || isFirst {
				s.chunk = append(s.chunk, l.raw...)
			}
			s.chunk = append(s.chunk, '\n')
		}
		s.nextLine()
	}
	if s.readError() != nil {
		return s.readError()
	}
	if tooLarge {
		s.collector.Skip(name, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("an entry of the index is larger than %d bytes", maxEntryBytes)))
		return nil
	}
	return s.parseChunk(name)
}

// parseChunk parses the lines of the current entry. It uses the YAML parser only
// where that is necessary.
func (s *indexSplitter) parseChunk(name string) error {
	if e, ok := readPlainEntry(s.chunk); ok {
		return s.collector.Add(name, e)
	}
	e, err := parseEntry(s.chunk, s.firstLine)
	if err != nil {
		if errors.Is(err, errNotYAML) && s.unreadable == nil {
			s.unreadable = err
		}
		s.collector.Skip(name, err)
		return nil
	}
	return s.collector.Add(name, e)
}

// skipValue skips the lines of the value of a key that has an indentation.
func (s *indexSplitter) skipValue(indent int, value []byte) {
	for {
		l, ok := s.currentLine()
		belongs := l.indent > indent || l.isBlank() || l.isComment() || l.indent == indent && isEmpty(value) && l.isItem()
		if !ok || !belongs {
			return
		}
		s.nextLine()
	}
}

// skipBlankLines skips blank lines and comments, and returns the line after them.
func (s *indexSplitter) skipBlankLines() (indexLine, bool) {
	for {
		l, ok := s.currentLine()
		if !ok || !l.isBlank() && !l.isComment() {
			return l, ok
		}
		s.nextLine()
	}
}

// newLayoutError returns a layoutError for the current line, or the error that ended
// the reading.
func (s *indexSplitter) newLayoutError(problem string) error {
	if err := s.readError(); err != nil {
		return err
	}
	return &layoutError{s.current.number, problem}
}
