package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A chart with missing quotes", func() {
	DescribeTable("is published with a warning that names object and field:", func(ctx SpecContext, object, says string) {
		t := newTenant(ctx)
		t.Offer(ctx, fixture.Chart{Name: "bare", Version: "1.0.0", Files: fixture.Files{"templates/a.yaml": object}})
		Expect(t.App(ctx, "bare").Status.Summary.Warnings).To(HaveExactElements(ContainSubstring(says)))
	},
		Entry("a label", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  labels: {port: 8080}\n", `Secret/a: metadata.labels["port"]: Invalid value: number: must be a string`),
		Entry("an annotation of a custom resource", "apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  name: a\n  annotations: {debug: true}\n", `Thing/a: metadata.annotations["debug"]: Invalid value: boolean: must be a string`),
		Entry("the value of an environment variable", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - {name: main, image: "+fixture.Image+", env: [{name: PORT, value: 80}]}\n", `Pod/a: spec.containers[0].env[name=PORT].value: Invalid value: number: must be a string`),
		Entry("data", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata: {ratio: 0.5}\n", `ConfigMap/a: data["ratio"]: Invalid value: number: must be a string`),
	)
})
