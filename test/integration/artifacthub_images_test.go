package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/samplemarket"
)

var _ = Describe("A chart with images outside of Pod specs", func() {
	It("lists the images of the Artifact Hub annotation, and no other text", func(ctx SpecContext) {
		t := newTenant(ctx)
		const gone = samplemarket.Registry + "/gone:9"
		t.Offer(ctx, fixture.Chart{Name: "kit", Version: "1.0.0", Files: fixture.Files{
			"Chart.yaml":       "apiVersion: v2\nname: kit\nversion: 1.0.0\nannotations:\n  artifacthub.io/images: |\n    - {name: hello, image: " + fixture.Image + "}\n    - {name: gone, image: " + gone + "}\n",
			"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  url: https://images.example/x:1\n  image: images.example/y:1\n",
		}})
		app := t.App(ctx, "kit")
		Expect(app.Status.Versions).To(HaveLen(1), "a missing image of the annotation is not a failure")
		Expect(app.Status.Images).To(ConsistOf(
			And(HaveField("Name", fixture.Image), HaveField("Digest", Not(BeEmpty()))),
			And(HaveField("Name", gone), HaveField("Problem", Not(BeEmpty()))),
		))
	})
})
