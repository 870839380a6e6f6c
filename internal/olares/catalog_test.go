package olares_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/appmarket/operator/internal/inputs"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/olares"
)

var listIndex = regexp.MustCompile(`\[\d+\]`)

// TestCatalog reads the literal manifests of a folder of real apps. Those that
// are templates need Helm's engine and are read where that is at hand.
func TestCatalog(t *testing.T) {
	t.Parallel()
	root := os.Getenv("MARKET_CATALOG")
	if root == "" {
		t.Skip("MARKET_CATALOG is not set: real apps were left out")
	}
	g := NewWithT(t)
	paths, err := filepath.Glob(filepath.Join(root, "*", "OlaresManifest.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(paths).NotTo(BeEmpty())

	reader, literal, warned := olares.Reader{}, 0, map[string]int{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		g.Expect(err).NotTo(HaveOccurred())
		if reader.Templated(text) {
			continue
		}
		literal++
		m, err := reader.Read(text)
		g.Expect(err).NotTo(HaveOccurred(), path)
		g.Expect(m.Name).To(Equal(filepath.Base(filepath.Dir(path))))
		for _, w := range m.Warnings {
			warned[listIndex.ReplaceAllString(w, "[]")]++
		}
		checkInputs(g, m)
	}
	g.Expect(literal).NotTo(BeZero())
	t.Logf("%d manifests: %d literal were read, %d are templates and were left out", len(paths), literal, len(paths)-literal)
	for _, w := range slices.Sorted(maps.Keys(warned)) {
		t.Logf("%4d × %s", warned[w], w)
	}
}

// checkInputs gives each input the app's own value, which must be right, and so
// tries every pattern, type and list of options on what its author meant.
func checkInputs(g Gomega, m *hydrate.Manifest) {
	given := map[string]string{}
	for _, in := range m.Inputs {
		if in.Default != "" {
			given[in.Name] = in.Default
		}
	}
	values, wrong := inputs.CheckInputs(m.Inputs, given, nil)
	g.Expect(values).To(HaveLen(len(m.Inputs)))
	for _, p := range wrong {
		g.Expect(p.Problem).To(Equal("required"), "%s: %s", m.Name, p.Input.Name)
	}
}
