package values_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/values"
)

// FuzzNotices judges any values that a user enters for any chart. Each notice is about a line of the text, and their
// number is limited.
func FuzzNotices(f *testing.F) {
	f.Add([]byte("image: {tag: 1}\nreplicas: 1\n"), []byte(`{"properties":{"replicas":{"type":"string"}}}`), "replica: 2\nimage:\n  tag: x\n")
	f.Add([]byte("a: 1\n"), []byte(`{`), "a: [\nb\n\n")
	f.Add([]byte("- a\n"), []byte(nil), "a: 1\n a: 2\n\t")
	f.Add([]byte("a: &a {b: *a}\n"), []byte(`true`), "a: \"\n---\nb: 1\n")
	f.Add([]byte("? [a]\n: b\n"), []byte(`{"$ref":"#"}`), "\ufeffa: 1\r\nb: {\r\n")
	f.Fuzz(func(t *testing.T, defaults, schema []byte, text string) {
		g := NewWithT(t)
		notices := values.Chart{Defaults: defaults, Schema: schema, Inputs: []string{"image.tag", "a.b.c", ""}}.Check([]byte(text))
		g.Expect(len(notices)).To(BeNumerically("<=", 1000))
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, notice := range notices {
			g.Expect(notice.Line).To(And(BeNumerically(">=", 0), BeNumerically("<=", lines)))
			g.Expect(notice.Column).To(BeNumerically(">=", 0))
		}
	})
}
