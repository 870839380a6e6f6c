package index

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/appmarket/operator/internal/text"
)

// The functions of this file parse the forms of YAML that nearly all indexes
// consist of, and report false for any other form, which the YAML parser reads
// then. Their results must be equal to the results of the YAML parser:
// TestPlainReaderAgrees and FuzzIndex compare both.

// splitKey splits "key: value" and removes the spaces around the value.
func splitKey(text []byte) (key, value []byte, ok bool) {
	if len(text) == 0 {
		return nil, nil, false
	}
	if text[0] == '"' || text[0] == '\'' {
		return splitQuotedKey(text)
	}
	if !startsPlain(text) {
		return nil, nil, false
	}
	for from := 0; ; {
		colon := bytes.IndexByte(text[from:], ':')
		if colon < 0 {
			return nil, nil, false
		}
		colon += from
		if endsToken(text[colon+1:]) {
			key = bytes.TrimRight(text[:colon], " ")
			value = trimBlanks(text[colon+1:])
			return key, value, len(key) == colon && !bytes.Contains(key, []byte(" #")) && bytes.IndexByte(key, '\t') < 0
		}
		from = colon + 1
	}
}

// splitQuotedKey is splitKey for a key in quotes.
func splitQuotedKey(text []byte) (key, value []byte, ok bool) {
	end := bytes.IndexByte(text[1:], text[0])
	if end < 0 {
		return nil, nil, false
	}
	key, rest := text[1:1+end], text[2+end:]
	if !isPrintable(key) || bytes.IndexByte(key, '\\') >= 0 || len(rest) == 0 || rest[0] != ':' || !endsToken(rest[1:]) {
		return nil, nil, false
	}
	return key, trimBlanks(rest[1:]), true
}

// parseScalar parses a value that ends on its line. Null is the empty string, as in
// a field of type string.
func parseScalar(value []byte) (text []byte, ok bool) {
	if len(value) == 0 || value[0] == '#' {
		return nil, true
	}
	if value[0] == '"' || value[0] == '\'' {
		return parseQuotedScalar(value)
	}
	if comment := bytes.Index(value, []byte(" #")); comment >= 0 {
		value = trimBlanks(value[:comment])
	}
	// A value without spaces that does not end in a colon and begins with one of
	// these characters contains no YAML syntax.
	last := value[len(value)-1]
	if !isPrintable(value) || bytes.IndexByte(value, ' ') >= 0 || last == ':' || !isAlphanumeric(value[0]) && value[0] != '.' && value[0] != '/' {
		return nil, false
	}
	if isNull(value) {
		return nil, true
	}
	return value, true
}

// parseQuotedScalar is parseScalar for a value in quotes.
func parseQuotedScalar(value []byte) (text []byte, ok bool) {
	end := bytes.IndexByte(value[1:], value[0])
	if end < 0 {
		return nil, false
	}
	text, rest := value[1:1+end], value[2+end:]
	if !isPrintable(text) || value[0] == '"' && bytes.IndexByte(text, '\\') >= 0 {
		return nil, false
	}
	after := trimBlanks(rest)
	if len(after) > 0 && (after[0] != '#' || len(rest) == len(after)) {
		return nil, false
	}
	return text, true
}

// isEmpty reports whether no value follows a key on its line.
func isEmpty(value []byte) bool {
	return len(value) == 0 || value[0] == '#'
}

func isNull(value []byte) bool {
	switch string(value) {
	case "null", "Null", "NULL":
		return true
	}
	return false
}

// parseBool parses the booleans of YAML 1.1, as Helm's loader does.
func parseBool(word string) (bool, error) {
	switch strings.ToLower(word) {
	case "true", "yes", "on", "y":
		return true, nil
	case "false", "no", "off", "n", "":
		return false, nil
	}
	return false, fmt.Errorf("value %q must be true or false", text.Truncate(word, 40))
}

// startsPlain reports whether the text begins with a plain scalar. The YAML parser
// reads plain scalars that begin with an indicator, such as '?' before a letter.
func startsPlain(text []byte) bool {
	if text[0] == '-' {
		return !endsToken(text[1:])
	}
	return isAlphanumeric(text[0]) || text[0] == '_' || text[0] == '.' || text[0] == '/' || text[0] >= 0x80
}

// endsToken reports whether an indicator before rest is a token of its own.
func endsToken(rest []byte) bool {
	return len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t'
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isPrintable reports whether text is printable ASCII, space included.
func isPrintable(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// trimBlanks removes the spaces and tabs around a text.
func trimBlanks(text []byte) []byte {
	return bytes.Trim(text, " \t")
}
