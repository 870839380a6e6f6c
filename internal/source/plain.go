package source

import "bytes"

// plainReader reads an entry whose fields are each on a line of their own, as
// nearly all are, without parsing what is not asked for.
type plainReader struct {
	entry entry
	seen  fields
	// column is where the keys stand.
	column int
	// at is the key whose value is being read, and bare says that nothing stood
	// behind it.
	at   field
	bare bool
	// item is where the dashes of urls stand, and further says that the URL that is
	// taken is complete. Both are zero before it.
	item    int
	further bool
}

// readPlain reads the lines of one entry, its dash included. It is not ok when
// only the YAML parser can tell what is meant.
func readPlain(chunk []byte) (entry, bool) {
	var r plainReader
	for number := 0; len(chunk) > 0; number++ {
		raw, rest, _ := bytes.Cut(chunk, []byte("\n"))
		chunk = rest
		text := bytes.TrimLeft(raw, " ")
		l := line{raw: raw, indent: len(raw) - len(text), text: text}
		if number == 0 {
			if l = l.afterDash(); l.isBlank() {
				return entry{}, false
			}
			r.column = l.indent
		}
		if !l.isBlank() && !r.read(l) {
			return entry{}, false
		}
	}
	return r.entry, true
}

// afterDash is the line as it would be with a space in place of its dash.
func (l line) afterDash() line {
	text := bytes.TrimLeft(l.text[1:], " ")
	return line{raw: l.raw, indent: len(l.raw) - len(text), text: text}
}

// read takes in one line and reports whether it was understood.
func (r *plainReader) read(l line) bool {
	switch {
	case l.indent > r.column:
		return r.below(l)
	case l.isComment():
		return true
	case l.indent < r.column:
		return false
	case l.isItem():
		return r.bare && r.below(l)
	}
	return r.key(l)
}

// key begins a field.
func (r *plainReader) key(l line) bool {
	key, value, ok := splitKey(l.text)
	if !ok || !isWord(key) {
		return false
	}
	r.at, r.bare = fieldOf(string(key)), isEmpty(value)
	if r.at == noField {
		return true
	}
	if r.seen.has(r.at) {
		return false
	}
	r.seen.add(r.at)
	if r.at == urlsField {
		return r.bare || string(value) == "[]"
	}
	text, ok := scalar(value)
	return ok && r.entry.set(r.at, string(text)) == nil
}

// below reads a line that belongs to the value of the present key.
func (r *plainReader) below(l line) bool {
	if r.at == noField {
		return true
	}
	if r.at != urlsField || !r.bare {
		return false
	}
	if l.isItem() && (r.item == 0 || r.item == l.indent && !r.entry.hasURL()) {
		r.item = l.indent
		url, ok := scalar(trimBlanks(l.text[1:]))
		r.entry.addURL(string(url))
		return ok && len(url) > 0
	}
	r.further = r.further || l.indent == r.item && l.isItem()
	return r.further && l.indent >= r.item
}

// isWord reports whether a key is of a kind that means itself, which "<<" does
// not.
func isWord(key []byte) bool {
	for _, c := range key {
		if !isAlphanumeric(c) && c != '_' && c != '-' && c != '.' && c != '/' {
			return false
		}
	}
	return len(key) > 0
}
