package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

// TestRunSaysWhatIsMissing checks the errors for invalid arguments.
func TestRunSaysWhatIsMissing(t *testing.T) {
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
		why  string
		args []string
		want string
	}{
		{"no chart", []string{filepath.Join(dir, "nope")}, "chart " + filepath.Join(dir, "nope") + " not found"},
		{"another file", []string{text}, "chart " + text + " must be a directory or an archive (.tgz)"},
		{"no values", []string{"--values", filepath.Join(dir, "nope.yaml"), chart}, "file " + filepath.Join(dir, "nope.yaml") + " not found"},
		{"values that are a list", []string{"--params", list, chart}, "file " + list + ": read values: values must be a map, but are a list"},
		{"another profile", []string{"--profile", "Other", chart}, `--profile: Unsupported value: "Other": supported values: Olares, Helm`},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(run(t.Context(), c.args, io.Discard)).To(MatchError(c.want))
		})
	}
}
