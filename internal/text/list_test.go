package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/text"
)

func TestList(t *testing.T) {
	for _, c := range []struct {
		items []string
		want  string
	}{
		{nil, ""},
		{[]string{"a"}, "a"},
		{[]string{"a", "b"}, "a, b"},
		{[]string{"a", "b", "c"}, "a, b and 1 more"},
		{[]string{"a", "b", "c", "d"}, "a, b and 2 more"},
	} {
		NewWithT(t).Expect(text.List(c.items, ", ", 2)).To(Equal(c.want))
	}
}

func TestSentences(t *testing.T) {
	long := strings.Repeat("a", 50)
	for _, c := range []struct {
		why  string
		all  []string
		want string
	}{
		{"none", nil, ""},
		{"a single sentence that is too long is not cut", []string{long}, long},
		{"all fit", []string{"first", "second"}, "first; second"},
		{"the last one does not fit", []string{"first", "second", long}, "first; second; and 1 more"},
		{"several do not fit", []string{"first", long, long}, "first; and 2 more"},
		{"a short sentence after a long one is omitted too", []string{"first", long, "third"}, "first; and 2 more"},
	} {
		NewWithT(t).Expect(text.Sentences(c.all, 40)).To(Equal(c.want), c.why)
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct{ why, in, want string }{
		{"a text that fits is not changed", "0123456789, 123456789", "0123456789, 123456789"},
		{"after an item", "1: 2 3 4, 5 6 7 8, and so on", "1: 2 3 4, 5 6 7 8 …"},
		{"after an item near the end", "one, two, three, four, five", "one, two, three …"},
		{"after a word", "0123456789 123 45 678901", "0123456789 123 45 …"},
		{"within a long word", strings.Repeat("a", 30), strings.Repeat("a", 17) + " …"},
		{"between multibyte characters", strings.Repeat("ä", 15), strings.Repeat("ä", 8) + " …"},
	} {
		g := NewWithT(t)
		got := text.Shorten(c.in, 21)
		g.Expect(got).To(Equal(c.want), c.why)
		g.Expect(utf8.ValidString(got)).To(BeTrue(), c.why)
		g.Expect(len(got)).To(BeNumerically("<=", 21), c.why)
	}
}
