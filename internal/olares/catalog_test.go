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

// TestCatalog reads the manifests of a folder of real apps. It skips manifests that are
// templates, because they must be rendered.
func TestCatalog(t *testing.T) {
	t.Parallel()
	root := os.Getenv("MARKET_CATALOG")
	if root == "" {
		t.Skip("MARKET_CATALOG is not set: skipping the test with real apps")
	}
	g := NewWithT(t)
	paths, err := filepath.Glob(filepath.Join(root, "*", "OlaresManifest.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(paths).NotTo(BeEmpty())

	reader, readable, warned := olares.Reader{}, 0, map[string]int{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		g.Expect(err).NotTo(HaveOccurred())
		if reader.Templated(text) {
			continue
		}
		readable++
		m, err := reader.Read(text)
		g.Expect(err).NotTo(HaveOccurred(), path)
		g.Expect(m.Name).To(Equal(filepath.Base(filepath.Dir(path))))
		for _, w := range m.Warnings {
			warned[listIndex.ReplaceAllString(w, "[]")]++
		}
		checkInputs(g, m)
	}
	g.Expect(readable).NotTo(BeZero())
	t.Logf("%d manifests: read %d, skipped %d templates", len(paths), readable, len(paths)-readable)
	for _, w := range slices.Sorted(maps.Keys(warned)) {
		t.Logf("%4d × %s", warned[w], w)
	}
}

// checkInputs validates the default value of each input. It must match the pattern, type and
// options of the input.
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
