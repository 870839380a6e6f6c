package index

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// TestPlainReaderAgrees reads random entries of many kinds of lines. An entry that
// plainReader reads must be equal to the entry that the YAML parser reads.
func TestPlainReaderAgrees(t *testing.T) {
	keys := []string{"name", "version", "appVersion", "urls", "digest", "created", "deprecated", "removed", "description", "x", "'name'", `"version"`, "<<", "a b", "name ", "? name"}
	values := []string{
		"", " ", " # c", " a", " 1.0", " 'a'", ` "a"`, ` "a\n"`, " 'a''b'", " 'a' # c", " 'a'# c", " a # c", " a#c", " a: b", " a:", " null", " Null", " ~", " true", " Yes", " off",
		" |", " >-", " [a]", " []", " [ ]", " {}", " {a: b}", " &a b", " *a", " !!str 1", " !x y", " - a", " -a", " .5", " /x", " http://h/x?a=b&c=d#e", " 2001-01-01", " ünï", " a\tb", " a\t", "\ta", "a",
		" 'open", ` "open`, " ---", " 0x10", " ''", ` ""`, " 'a' b", " %a", " @a", " a,b", " a]",
	}
	below := []string{"", "", "", "", "", "  - a\n", "- a\n", "  -\n", "  - 'b c'\n  - d\n", "- a\n- b\n", "- a\n  more\n", "  more\n", "  k: v\n", "\n", "# c\n", "  # c\n", "    deep\n  less\n", "  - a\n    more\n", "  - oci://r/a\n  - b\n", "- oci://r/a\n- oci://r/b\n- c\n- d\n", "  - oci://r/a\n    more\n  - b\n", "  - oci://r/a\n  - {}\n", "  - oci://r/a\n  - b\n    more\n", "  - a: b\n", "  -  a # c\n", "  closed'\n", "  closed\"\n", "  ]\n", "]\n"}
	r := rand.New(rand.NewPCG(7, 7))
	agreed, read := 0, 0
	for range 150_000 {
		chunk := randomChunk(r, keys, values, below)
		plain, ok := readPlainEntry([]byte(chunk))
		if !ok {
			continue
		}
		read++
		parsed, err := parseEntry([]byte(chunk), 1)
		if err != nil {
			continue // A value that plainReader skips is not valid YAML.
		}
		agreed++
		NewWithT(t).Expect(plain).To(Equal(parsed), "%q", chunk)
	}
	g := NewWithT(t)
	g.Expect(read).To(BeNumerically(">", 5000))
	g.Expect(agreed).To(BeNumerically(">", read/4))
}

func randomChunk(r *rand.Rand, keys, values, below []string) string {
	pick := func(of []string) string { return of[r.IntN(len(of))] }
	indent := strings.Repeat(" ", 1+r.IntN(3))
	var text strings.Builder
	for i := range 1 + r.IntN(4) {
		if i == 0 {
			text.WriteString(indent + "- ")
		} else {
			text.WriteString(indent + "  ")
		}
		text.WriteString(pick(keys) + ":" + pick(values) + "\n")
		for line := range strings.Lines(pick(below)) {
			text.WriteString(indent + "  " + line)
		}
	}
	return text.String()
}

func TestURLOfAnEntry(t *testing.T) {
	for _, c := range []struct {
		why  string
		urls []string
		want string
	}{
		{"the first", []string{"a", "b"}, "a"},
		{"the first that is not in an OCI registry", []string{"oci://r/a", "oci://r/b", "https://h/c", "d"}, "https://h/c"},
		{"only OCI registries", []string{"oci://r/a", "oci://r/b"}, "oci://r/a"},
	} {
		for style, format := range map[string]string{
			"plain": "- name: web\n  version: 1.0.0\n  urls:\n  - %s\n", "parsed": "- {name: web, version: 1.0.0, urls: [%s]}\n",
		} {
			t.Run(c.why+" "+style, func(t *testing.T) {
				g := NewWithT(t)
				joint := map[string]string{"plain": "\n  - ", "parsed": ", "}[style]
				chunk := fmt.Appendf(nil, format, strings.Join(c.urls, joint))
				e, ok := readPlainEntry(chunk)
				if style == "parsed" {
					var err error
					e, err = parseEntry(chunk, 1)
					ok = err == nil
				}
				g.Expect(ok).To(BeTrue())
				g.Expect(e.URL).To(Equal(c.want))
			})
		}
		NewWithT(t).Expect(jsonEntry{URLs: c.urls}.toEntry().URL).To(Equal(c.want), "JSON: "+c.why)
	}
}
