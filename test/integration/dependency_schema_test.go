package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

type values = map[string]any

// dependencyChart returns a chart with a dependency that requires a password. declared completes the
// declaration of the dependency after its name and version.
func dependencyChart(declared string) fixture.Chart {
	return fixture.Chart{Name: "shop", Version: "1.0.0", Files: fixture.Files{
		"Chart.yaml":                       "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n- {name: ledger, version: 0.1.0, " + declared + "}\n",
		"values.yaml":                      "ledger: {enabled: false}\nbooks: {enabled: true}\n",
		"templates/settings.yaml":          "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-shop\n",
		"charts/ledger/Chart.yaml":         "apiVersion: v2\nname: ledger\nversion: 0.1.0\n",
		"charts/ledger/values.yaml":        "pages: {count: 12}\n",
		"charts/ledger/templates/a.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-{{ .Chart.Name }}\n",
		"charts/ledger/values.schema.json": `{"type": "object", "required": ["owner"], "properties": {"owner": {"type": "string"}, "pages": {"properties": {"count": {"type": "integer"}}}}}`,
	}}
}

var _ = Describe("A dependency with a strict schema", func() {
	It("requires no values while it is disabled by a condition", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, dependencyChart("condition: ledger.enabled"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "shop", fixture.As("without"))
		Expect(t.Names(ctx, "configmaps")).To(And(ContainElement("without-shop"), Not(ContainElement("without-ledger"))))

		message := t.Fail(ctx, v1alpha1.ReasonSchemaViolation, v1alpha1.ActionInstall, "shop", fixture.As("bad"),
			fixture.Values(values{"ledger": values{"enabled": true}}))
		Expect(message).To(And(ContainSubstring(`chart "ledger"`), ContainSubstring("ledger.owner: Required value")))
		Expect(t.Names(ctx, "configmaps")).NotTo(ContainElement(HavePrefix("bad-")), "no object is created")

		t.Succeed(ctx, v1alpha1.ActionInstall, "shop", fixture.As("with"),
			fixture.Values(values{"ledger": values{"enabled": true, "owner": "a"}}))
		Expect(t.Names(ctx, "configmaps")).To(ContainElement("with-ledger"))
	})

	It("requires no values while it is disabled by a tag", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, dependencyChart("tags: [accounting]"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "shop", fixture.Values(values{"tags": values{"accounting": false}}))
	})

	It("uses the values of its alias, and reports their full path", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, dependencyChart("alias: books"))
		Expect(t.App(ctx, "shop").Status.Summary.Warnings).To(ContainElement(ContainSubstring("books.owner: Required value")), "the default values have no owner")
		message := t.Fail(ctx, v1alpha1.ReasonSchemaViolation, v1alpha1.ActionInstall, "shop", fixture.As("bad"),
			fixture.Values(values{"books": values{"owner": "a", "pages": values{"count": "many"}}}))
		Expect(message).To(ContainSubstring("books.pages.count: must be of type integer, but is string"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "shop", fixture.As("good"),
			fixture.Values(values{"books": values{"owner": "a", "pages": values{"count": 3}}}))
		Expect(t.Names(ctx, "configmaps")).To(ContainElement("good-books"))
	})
})
