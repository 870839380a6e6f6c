package objects_test

import (
	"testing"

	. "github.com/onsi/gomega"
	helmchart "helm.sh/helm/v3/pkg/chart"

	"github.com/appmarket/operator/internal/objects"
)

// TestIsCRDFile compares the result for each path with Helm's.
func TestIsCRDFile(t *testing.T) {
	for _, c := range []struct {
		path string
		want bool
	}{
		{"web/crds/a.yaml", true},
		{"web/crds/nested/a.yaml", true},
		{"web/crds/templates/a.yaml", true},
		{"web/charts/db/crds/a.yaml", true},
		{"web/templates/a.yaml", false},
		{"web/templates/crds/a.yaml", false},
		{"web/charts/db/templates/crds/a.yaml", false},
		{"web/charts/crds/templates/a.yaml", false},
		{"web/mycrds/a.yaml", false},
	} {
		t.Run(c.path, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(objects.IsCRDFile(c.path)).To(Equal(c.want))
			g.Expect(helmHasCRD(c.path)).To(Equal(c.want), "as Helm decides")
		})
	}
}

// helmHasCRD reports whether Helm reads the file as a CRD of the chart or of one of its
// dependencies. The path starts with the folder of the chart.
func helmHasCRD(path string) bool {
	path = path[len("web/"):]
	parent := &helmchart.Chart{Metadata: &helmchart.Metadata{Name: "web"}}
	for _, name := range []string{"db", "crds"} {
		child := &helmchart.Chart{Metadata: &helmchart.Metadata{Name: name}}
		prefix := "charts/" + name + "/"
		if len(path) > len(prefix) && path[:len(prefix)] == prefix {
			child.Files = []*helmchart.File{{Name: path[len(prefix):]}}
			parent.AddDependency(child)
			return len(parent.CRDObjects()) > 0
		}
	}
	parent.Files = []*helmchart.File{{Name: path}}
	return len(parent.CRDObjects()) > 0
}
