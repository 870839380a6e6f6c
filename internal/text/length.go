package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Truncate cuts a text to a number of bytes, between characters. Invalid UTF-8 is removed.
func Truncate(text string, most int) string {
	text = strings.ToValidUTF8(text, "")
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// Limit cuts a text to a number of characters, which is how API schemas count lengths.
func Limit(text string, most int) string {
	if len(text) <= most {
		return text
	}
	if characters := []rune(text); len(characters) > most {
		return string(characters[:most])
	}
	return text
}

// OneLine puts a text on one line and shortens it to a number of bytes.
func OneLine(text string, most int) string {
	// Avoid splitting megabytes of text that are cut off anyway.
	if len(text) > 4*most {
		text = text[:4*most]
	}
	return Shorten(strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), ""), most)
}

// WithoutControls removes control characters, which a terminal would interpret.
func WithoutControls(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}

// PrintableLines removes control characters from a text except for line breaks and tabs.
func PrintableLines(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}

// Printable removes control characters from a text and cuts it to a number of bytes.
func Printable(text string, most int) string { return Truncate(WithoutControls(text), most) }
