package hydrate_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
)

func TestLicense(t *testing.T) {
	for _, c := range []struct {
		why   string
		files map[string]string
		want  *hydrate.License
	}{
		{"no price list", nil, nil},
		{"a product", map[string]string{"OlaresManifest.yaml": literal, "price.yaml": "developer: shop.example.com\npaid: {product_id: web-paid}\n"},
			&hydrate.License{Product: "web-paid", Issuer: "shop.example.com"}},
		{"a product of a plain chart", map[string]string{"price.yaml": "developer: shop.example.com\npaid: {product_id: web-paid}\n"},
			&hydrate.License{Product: "web-paid", Issuer: "shop.example.com"}},
		{"no product", map[string]string{"price.yaml": "developer: shop.example.com\npaid: {product_id: ''}\n"}, nil},
		{"a price list of something else", map[string]string{"templates/price.yaml": "# nothing to render\n", "docs/price.yaml": "paid: {product_id: p}\n"}, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			d := fetchDraft(t, newWebChart(c.files))
			g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
			g.Expect(d.License).To(Equal(c.want))
		})
	}
}

func TestLicenseIsNeverFreeByMistake(t *testing.T) {
	for why, text := range map[string]string{
		"nothing":              "",
		"no YAML":              "paid: {",
		"a template":           "developer: d\npaid: {{ .Values.paid }}\n",
		"without a developer":  "paid: {product_id: web-paid}\n",
		"a mistyped product":   "developer: d\npaid: {product: web-paid}\n",
		"a list of products":   "developer: d\npaid: [{product_id: web-paid}]\n",
		"aliases without end":  "developer: d\npaid: &p {product_id: web-paid, more: *p}\n",
		"one product, or none": "developer: d\npaid: {product_id: web-paid}\n---\npaid: {}\n",
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			d := fetchDraft(t, newWebChart(map[string]string{"price.yaml": text}))
			expectStepError(g, hydrate.StepRenderedChart, rendering.Apply(t.Context(), d), v1alpha1.ReasonInvalidManifest)
			g.Expect(d.Units).To(BeNil(), "the draft is as it was")
		})
	}
}
