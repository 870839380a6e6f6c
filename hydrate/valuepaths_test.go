package hydrate_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
)

func TestPrepareDescribesValuePaths(t *testing.T) {
	const defaults = "image: {tag: '1', name: web}\nextra: {}\nreplicas: 2\nglobal: {a: 1}\ndatabase: {size: 1}\n"
	archive, err := chart.Pack("web", []chart.File{
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
		{Name: "values.yaml", Data: []byte(defaults)},
		{Name: "charts/database/Chart.yaml", Data: []byte("apiVersion: v2\nname: database\nversion: 1.0.0\n")},
		{Name: "templates/page.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\n")},
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, c := range []struct {
		why  string
		path []string
		want hydrate.ValuePath
	}{
		{"a known value", []string{"image", "tag"}, hydrate.ValuePath{Known: 2, IsOpen: true}},
		{"a key that a map does not contain", []string{"image", "digest"}, hydrate.ValuePath{Known: 1}},
		{"a key below an unknown key", []string{"resources", "limits", "cpu"}, hydrate.ValuePath{}},
		{"a key of a map without defaults", []string{"extra", "any"}, hydrate.ValuePath{Known: 1, IsOpen: true}},
		{"a key of a value that is not a map", []string{"replicas", "any"}, hydrate.ValuePath{Known: 1, IsOpen: true}},
		{"a global value", []string{"global", "b"}, hydrate.ValuePath{Known: 1, IsOpen: true}},
		{"a value of a dependency", []string{"database", "password"}, hydrate.ValuePath{Known: 1, IsOpen: true}},
	} {
		prepared, err := hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}}.Prepare(t.Context(), hydrate.Preparation{
			Request: hydrate.Request{App: "web", Profile: olares.HelmProfile{}, At: hydrate.InstallTarget{Namespace: "demo", Instance: "web"}},
			Archive: archive, ValuePaths: [][]string{c.path},
		})
		NewWithT(t).Expect(err).NotTo(HaveOccurred(), c.why)
		NewWithT(t).Expect(prepared.ValuePaths).To(Equal([]hydrate.ValuePath{c.want}), c.why)
	}
}
