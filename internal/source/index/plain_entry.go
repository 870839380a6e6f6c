package index

import "bytes"

// plainReader reads an entry that has each field on a line of its own. Nearly all
// entries do. Values of other fields are skipped without parsing them.
type plainReader struct {
	entry Entry
	seen  fieldSet
	// column is the indentation of the keys.
	column int
	// current is the field whose value is being read. isBare is set if no value
	// follows the key on its line.
	current entryField
	isBare  bool
	// itemIndent is the indentation of the items of urls. isURLComplete is set once
	// a further item begins, so that the URL cannot continue. Both are zero before
	// the first item.
	itemIndent    int
	isURLComplete bool
}

// readPlainEntry reads the lines of one entry, including its dash. It reports
// false if the YAML parser must read them.
func readPlainEntry(chunk []byte) (Entry, bool) {
	var r plainReader
	for number := 0; len(chunk) > 0; number++ {
		raw, rest, _ := bytes.Cut(chunk, []byte("\n"))
		chunk = rest
		text := bytes.TrimLeft(raw, " ")
		l := indexLine{raw: raw, indent: len(raw) - len(text), text: text}
		if number == 0 {
			if l = l.withoutDash(); l.isBlank() || l.isComment() {
				return Entry{}, false
			}
			r.column = l.indent
		}
		if !l.isBlank() && !r.readLine(l) {
			return Entry{}, false
		}
	}
	return r.entry, true
}

// withoutDash returns the line with its dash replaced by a space.
func (l indexLine) withoutDash() indexLine {
	text := bytes.TrimLeft(l.text[1:], " ")
	return indexLine{raw: l.raw, indent: len(l.raw) - len(text), text: text}
}

// readLine reads one line. It reports false if the YAML parser must read it.
func (r *plainReader) readLine(l indexLine) bool {
	switch {
	case l.indent > r.column:
		return r.readValueLine(l)
	case l.isComment():
		return true
	case l.indent < r.column:
		return false
	case l.isItem():
		return r.isBare && r.readValueLine(l)
	}
	return r.readKey(l)
}

// readKey reads a line that begins with a key.
func (r *plainReader) readKey(l indexLine) bool {
	key, value, ok := splitKey(l.text)
	if !ok || !isWord(key) {
		return false
	}
	r.current, r.isBare = fieldForKey(string(key)), isEmpty(value)
	if r.current == noField {
		return true
	}
	if r.seen.hasField(r.current) {
		return false
	}
	r.seen.addField(r.current)
	if r.current == urlsField {
		return r.isBare || string(value) == "[]"
	}
	text, ok := parseScalar(value)
	return ok && r.entry.setField(r.current, string(text)) == nil
}

// readValueLine reads a line that belongs to the value of the current key.
func (r *plainReader) readValueLine(l indexLine) bool {
	if r.current == noField {
		return true
	}
	if r.current != urlsField || !r.isBare {
		return false
	}
	if l.isItem() && (r.itemIndent == 0 || r.itemIndent == l.indent && !r.entry.hasURL()) {
		r.itemIndent = l.indent
		url, ok := parseScalar(trimBlanks(l.text[1:]))
		r.entry.addURL(string(url))
		return ok && len(url) > 0
	}
	r.isURLComplete = r.isURLComplete || l.indent == r.itemIndent && l.isItem()
	return r.isURLComplete && l.indent >= r.itemIndent
}

// isWord reports whether a key is plain text. The merge key "<<" is not.
func isWord(key []byte) bool {
	for _, c := range key {
		if !isAlphanumeric(c) && c != '_' && c != '-' && c != '.' && c != '/' {
			return false
		}
	}
	return len(key) > 0
}
