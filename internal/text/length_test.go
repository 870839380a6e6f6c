package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/text"
)

func TestTruncate(t *testing.T) {
	g := NewWithT(t)
	for in, want := range map[string]string{"": "", "abc": "abc", "abcd": "abcd", "abcde": "abcd", "aääb": "aä", "äää": "ää", "a\xffb": "ab", "abcd\xff": "abcd"} {
		g.Expect(text.Truncate(in, 4)).To(Equal(want), in)
	}
	g.Expect(text.Truncate("ä", 1)).To(BeEmpty())
}

func TestLimit(t *testing.T) {
	for in, want := range map[string]string{"": "", "abcd": "abcd", "abcde": "abcd", "ääää": "ääää", "äääää": "ääää"} {
		NewWithT(t).Expect(text.Limit(in, 4)).To(Equal(want), in)
	}
}

func TestOneLine(t *testing.T) {
	g := NewWithT(t)
	g.Expect(text.OneLine(" a\n\tb  c\xff ", 20)).To(Equal("a b c"))
	long := text.OneLine(strings.Repeat("wörd\n", 1000), 30)
	g.Expect(long).To(HaveSuffix(" …"))
	g.Expect(len(long)).To(BeNumerically("<=", 30))
	g.Expect(utf8.ValidString(long)).To(BeTrue())
}

func TestWithoutControls(t *testing.T) {
	NewWithT(t).Expect(text.WithoutControls("a\x1b[31mb\r\n\tc\u0085ä")).To(Equal("a[31mbcä"))
}

func TestPrintableLines(t *testing.T) {
	NewWithT(t).Expect(text.PrintableLines("a:\r\n\tb \x1b[31mred\x1b]52;c;eA==\a\u009b2J\xffend\n")).To(Equal("a:\n\tb [31mred]52;c;eA==2Jend\n"))
}

func TestPrintable(t *testing.T) {
	g := NewWithT(t)
	g.Expect(text.Printable("a\x1b[31mb\nc", 100)).To(Equal(text.WithoutControls("a\x1b[31mb\nc")))
	g.Expect(text.Printable("\x00ab\x00cdef", 3)).To(Equal("abc"), "the control characters do not count")
}
