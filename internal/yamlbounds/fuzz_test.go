package yamlbounds_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/yamlbounds"
)

// FuzzCheckText decodes any text that is within the bounds. The result must be within them too.
func FuzzCheckText(f *testing.F) {
	f.Add([]byte("a: &a [x, y]\nb: &b [*a, *a]\nc: [*b, *b]\n"))
	f.Add([]byte("a: &a {b: *a}\n<<: *a\n"))
	f.Add([]byte("a: !!binary AAAA\n? [x]\n: |2-\n  y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		g := NewWithT(t)
		if err := yamlbounds.CheckText(text, 1<<20); err != nil {
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			return
		}
		decoded, err := yaml.YAMLToJSON(text)
		if err == nil {
			g.Expect(len(decoded)).To(BeNumerically("<", 128<<20))
		}
	})
}
