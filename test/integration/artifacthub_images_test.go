package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/samplemarket"
)

var _ = Describe("A chart that names images outside of pod specs", func() {
	It("has those of the annotation of Artifact Hub in its list, and no text that looks like one", func(ctx SpecContext) {
		t := newTenant(ctx)
		const gone = samplemarket.Registry + "/gone:9"
		t.Offer(ctx, fixture.Chart{Name: "kit", Version: "1.0.0", Files: fixture.Files{
			"Chart.yaml":       "apiVersion: v2\nname: kit\nversion: 1.0.0\nannotations:\n  artifacthub.io/images: |\n    - {name: hello, image: " + fixture.Image + "}\n    - {name: gone, image: " + gone + "}\n",
			"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  url: https://images.example/x:1\n  image: images.example/y:1\n",
		}})
		app := t.App(ctx, "kit")
		Expect(app.Status.Versions).To(HaveLen(1), "an announced image that the registry does not have fails nothing")
		Expect(app.Status.Images).To(ConsistOf(
			And(HaveField("Name", fixture.Image), HaveField("Digest", Not(BeEmpty()))),
			And(HaveField("Name", gone), HaveField("Problem", Not(BeEmpty()))),
		))
	})
})
