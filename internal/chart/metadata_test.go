package chart_test

import (
	"maps"
	"slices"

	"github.com/appmarket/operator/internal/outcome"

	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

func filesOf(content map[string]string) []chart.File {
	var files []chart.File
	for _, name := range slices.Sorted(maps.Keys(content)) {
		files = append(files, chart.File{Name: name, Data: []byte(content[name])})
	}
	return files
}

func TestReadMetadata(t *testing.T) {
	g := NewWithT(t)
	meta, err := chart.ReadMetadata(filesOf(map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.2.3-rc.1+build.5\nappVersion: \"3\"\ntype: application\nunknown: 1\n",
	}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(meta).To(And(HaveField("Name", "web"), HaveField("Version", "1.2.3-rc.1+build.5"), HaveField("AppVersion", "3")))
}

// TestReadMetadataOfHelm2 shows that apiVersion is optional in Chart.yaml.
func TestReadMetadataOfHelm2(t *testing.T) {
	g := NewWithT(t)
	meta, err := chart.ReadMetadata(filesOf(map[string]string{"Chart.yaml": "name: web\nversion: 0.1.0\nengine: gotpl\n"}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(meta.APIVersion).To(Equal("v1"))
}

func TestReadMetadataRefuses(t *testing.T) {
	for _, c := range []struct {
		why  string
		text string
		says string
	}{
		{"no text", "", `name: Invalid value: ""`},
		{"no YAML", "a: b: c\n", "read Chart.yaml"},
		{"a list", "[a]\n", "read Chart.yaml"},
		{"no name", "apiVersion: v2\nversion: 1.0.0\n", `name: Invalid value: ""`},
		{"a name with a slash", "apiVersion: v2\nname: a/b\nversion: 1.0.0\n", `name: Invalid value: "a/b": must not be empty or contain a slash`},
		{"a name with a backslash", "apiVersion: v2\nname: 'a\\b'\nversion: 1.0.0\n", "must not be empty or contain a slash or backslash"},
		{"no version", "apiVersion: v2\nname: web\n", `version: Invalid value: "": must be a semantic version`},
		{"a version in words", "apiVersion: v2\nname: web\nversion: newest\n", `version: Invalid value: "newest": must be a semantic version`},
		{"another type of dependency", "name: web\nversion: 1.0.0\ndependencies: [{name: 'a b', alias: '?'}]\n", "alias"},
		{"another type", "apiVersion: v2\nname: web\nversion: 1.0.0\ntype: thing\n", "chart.metadata.type"},
		{"a name that is a number, in a list", "apiVersion: v2\nname: [web]\nversion: 1.0.0\n", "read Chart.yaml"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := chart.ReadMetadata(filesOf(map[string]string{"Chart.yaml": c.text}))
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidChart), "%v", err)
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
		})
	}
	_, err := chart.ReadMetadata(filesOf(map[string]string{"web/Chart.yaml": "name: web\n"}))
	NewWithT(t).Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidChart), "%v", err)
}
