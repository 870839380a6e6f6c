package chart_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// FuzzMetadata reads any Chart.yaml, requirements.yaml and lock file. Each of them is valid, or leads to an error
// without a retry.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte("apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: a, version: 1.x, repository: 'https://a.example'}\n"), []byte{},
		[]byte("dependencies:\n- {name: a, version: 1.2.3, repository: 'https://a.example'}\ndigest: sha256:00\ngenerated: \"2026-11-29T09:00:00Z\"\n"))
	f.Add([]byte("name: web\nversion: 1.0.0\n"), []byte("dependencies:\n- {name: a, version: '*', repository: 'file://charts/a', alias: b}\n"), []byte("dependencies: [null]\n"))
	f.Add([]byte("name: &a web\nversion: 1\nmaintainers: [null, {name: *a}]\n"), []byte("dependencies: [null]"), []byte("{}"))
	f.Fuzz(func(t *testing.T, metadata, requirements, lock []byte) {
		g := NewWithT(t)
		files := []chart.File{
			{Name: "Chart.yaml", Data: metadata}, {Name: "requirements.yaml", Data: requirements}, {Name: "Chart.lock", Data: lock}, {Name: "requirements.lock", Data: lock},
			{Name: "charts/a/Chart.yaml", Data: metadata},
		}
		chart.DependencyKeys(files)
		found, err := chart.ReadMetadata(files)
		if err != nil {
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			return
		}
		g.Expect(found.Validate()).To(Succeed())
		if _, _, err := (chart.Vendoring{}).AddDependencies(files); err != nil {
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
		}
	})
}
