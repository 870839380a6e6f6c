package hydrate_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

func TestIsClusterSingleton(t *testing.T) {
	for _, c := range []struct {
		why      string
		manifest hydrate.Manifest
		want     bool
	}{
		{"an app of a tenant", hydrate.Manifest{}, false},
		{"an app of the cluster", hydrate.Manifest{ClusterScoped: true, SubCharts: []hydrate.SubChart{{Name: "a"}}}, true},
		{"only a unit serves the cluster", hydrate.Manifest{ClusterScoped: true, SubCharts: []hydrate.SubChart{{Name: "a", Shared: true}, {Name: "b"}}}, false},
	} {
		NewWithT(t).Expect(c.manifest.IsClusterSingleton()).To(Equal(c.want), c.why)
	}
}
