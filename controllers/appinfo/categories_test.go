package appinfo

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestChartCategories(t *testing.T) {
	for _, c := range []struct {
		why         string
		annotations map[string]string
		want        []string
	}{
		{"no annotation", map[string]string{"licenses": "MIT"}, nil},
		{"a category of Artifact Hub", map[string]string{"artifacthub.io/category": "monitoring-logging", "category": "Tools"}, []string{"Monitoring and logging"}},
		{"a category that Artifact Hub does not define", map[string]string{"artifacthub.io/category": "skip-prediction", "category": "Tools"}, []string{"Tools"}},
		{"another category", map[string]string{"category": "Tools"}, []string{"Tools"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(chartCategories(c.annotations)).To(Equal(c.want))
		})
	}
}
