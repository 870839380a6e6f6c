package terminal

import (
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func TestFitLines(t *testing.T) {
	for _, c := range []struct {
		why           string
		lines         []string
		columns, rows int
		want          []string
	}{
		{"short lines are kept", []string{"a", "b"}, 10, 5, []string{"a", "b"}},
		{"the last column stays empty", []string{"abcde"}, 5, 5, []string{"abcd"}},
		{"wide characters need two columns", []string{"应用市场x"}, 6, 5, []string{"应用"}},
		{"combining characters need none", []string{"e\u0301e\u0301e\u0301"}, 4, 5, []string{"e\u0301e\u0301e\u0301"}},
		{"omitted lines are counted", []string{"a", "b", "c", "d"}, 20, 3, []string{"a", "… 3 more lines"}},
		{"one row", []string{"a", "b"}, 20, 1, []string{"… 2 more lines"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(fitLines(c.lines, c.columns, c.rows)).To(Equal(c.want))
		})
	}
}

func TestScreenReplacesItsLines(t *testing.T) {
	g := NewWithT(t)
	file, err := os.CreateTemp(t.TempDir(), "terminal")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(NewScreen(file)).To(BeNil(), "a file is no terminal")
	s := &Screen{out: file}
	g.Expect(s.Show([]string{"one", "two"})).To(Succeed())
	g.Expect(s.Show([]string{"three"})).To(Succeed())
	g.Expect(file.Close()).To(Succeed())
	text, err := os.ReadFile(file.Name())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(strings.Split(string(text), "\n")).To(Equal([]string{"\r\x1b[Jone", "two", "\x1b[2A\r\x1b[Jthree", ""}))
}
