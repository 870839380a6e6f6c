package text

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// List joins the first items and adds the number of omitted items: "a, b and 3 more".
func List(items []string, separator string, most int) string {
	if len(items) <= most {
		return strings.Join(items, separator)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(items[:most], separator), len(items)-most)
}

// Sentences joins as many sentences as fit into a number of bytes, at least the first, and
// adds the number of omitted sentences: "a; b; and 3 more".
func Sentences(all []string, most int) string {
	const reserved = len("; and 1000000 more")
	joined := ""
	for i, one := range all {
		next := one
		if i > 0 {
			next = joined + "; " + one
		}
		last := i == len(all)-1
		if i > 0 && (last && len(next) > most || !last && len(next)+reserved > most) {
			return fmt.Sprintf("%s; and %d more", joined, len(all)-i)
		}
		joined = next
	}
	return joined
}

// Shorten cuts a text to a number of bytes, including the ellipsis. It cuts after a list item
// or a word if there is one near the end.
func Shorten(text string, most int) string {
	const mark = " …"
	if len(text) <= most {
		return text
	}
	cut := max(0, most-len(mark))
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	kept := text[:cut]
	for _, end := range []string{"; ", ", ", " "} {
		if at := strings.LastIndex(text[:min(len(text), cut+len(end))], end); at > cut*3/4 {
			return text[:at] + mark
		}
	}
	return kept + mark
}
