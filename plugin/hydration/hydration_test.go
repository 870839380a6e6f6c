package hydration_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/plugin/hydration"
)

// TestRunRejectsInvalidOptions checks the errors for invalid arguments.
func TestRunRejectsInvalidOptions(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	list := filepath.Join(dir, "list.yaml")
	chart := filepath.Join(dir, "web")
	g := NewWithT(t)
	g.Expect(os.WriteFile(text, nil, 0o600)).To(Succeed())
	g.Expect(os.WriteFile(list, []byte("- a\n"), 0o600)).To(Succeed())
	g.Expect(os.Mkdir(chart, 0o700)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(chart, "Chart.yaml"), []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n"), 0o600)).To(Succeed())
	for _, c := range []struct {
		why     string
		options hydration.Options
		want    string
	}{
		{"no chart", hydration.Options{Chart: filepath.Join(dir, "nope")}, "chart " + filepath.Join(dir, "nope") + " not found"},
		{"another file", hydration.Options{Chart: text}, "chart " + text + " must be a directory or an archive (.tgz)"},
		{"no values", hydration.Options{Chart: chart, Values: filepath.Join(dir, "nope.yaml")}, "file " + filepath.Join(dir, "nope.yaml") + " not found"},
		{"values that are a list", hydration.Options{Chart: chart, Params: list}, "file " + list + ": read values: values must be a map, but are a list"},
		{"another profile", hydration.Options{Chart: chart, Profile: "Other"}, `--profile: Unsupported value: "Other": supported values: Helm, Olares`},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(hydration.Run(t.Context(), c.options, io.Discard)).To(MatchError(c.want))
		})
	}
}
