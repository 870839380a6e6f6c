package index

import (
	"bytes"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/outcome"
)

// FuzzIndex reads any bytes. An error must be stalled, and the entries that are read as a
// stream must be equal to the entries that the YAML parser reads.
func FuzzIndex(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: v1\nentries:\n  a:\n  - name: a\n    version: 1.0.0\n    urls:\n    - u\n    created: 2026-01-02T03:04:05Z\n",
		"apiVersion: v1\nentries:\n  a:\n    - {name: a, version: 1.0.0, urls: [u]}\n",
		"entries:\n  a: &l\n  - <<: &x {name: a}\n    version: 1\n  b: *l\napiVersion: v1\n",
		`{"apiVersion":"v1","entries":{"a":[{"name":"a","version":"1.0.0","urls":["u"]}]}}`,
		"apiVersion: v1\nentries:\n  a:\n  - description: |\n      x\n    name: 'a'\n    version: \"1.0.0\"\n    urls: [u]\n    deprecated: yes\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, complete, err := Read(bytes.NewReader(text), newRecorder)
		if err != nil {
			if !outcome.IsStalled(err) {
				t.Fatalf("not stalled: %v", err)
			}
			return
		}
		if !complete || isLenient(text) {
			return
		}
		whole := newRecorder()
		if err := readDocument(text, whole); err != nil {
			return
		}
		if a, b := strings.Join(got.sortedLines(), "\n"), strings.Join(whole.sortedLines(), "\n"); a != b {
			t.Fatalf("read as a stream:\n%s\nread as a whole:\n%s", a, b)
		}
	})
}

// isLenient reports whether the YAML parser may accept the text although it is not
// valid YAML, or reads other lines: quotes and brackets may continue to the left of
// their key, a key may be given twice, and further characters end a line.
func isLenient(text []byte) bool {
	return bytes.ContainsAny(text, "'\"[]{}\u0085\u2028\u2029") || bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) ||
		bytes.Count(text, []byte("entries")) > 1 || bytes.Count(text, []byte("apiVersion")) > 1
}
