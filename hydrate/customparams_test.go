package hydrate_test

import (
	"context"
	"errors"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
)

var customizing = hydrate.CustomParams{Renderer: render.Engine{}}

// applyCustomParams returns a draft after the step RenderedChart.
func applyCustomParams(t *testing.T, params map[string]any, files []chart.File) *hydrate.Draft {
	t.Helper()
	d := fetchDraft(t, files)
	d.Request.Params = params
	NewWithT(t).Expect(rendering.Apply(t.Context(), d)).To(Succeed())
	return d
}

// schema allows a greeting of at most 10 characters and requires a name.
const schema = `{"type": "object", "required": ["name"], "properties": {"greeting": {"type": "string", "maxLength": 10}, "name": {"type": "string"}}}`

func TestCustomParams(t *testing.T) {
	for _, c := range []struct {
		why    string
		params map[string]any
		files  map[string]string
		values string
		page   string
	}{
		{"a value is replaced, its comment stays", map[string]any{"greeting": "hi"}, nil, "greeting: hi # to all\n", `text: "hi"`},
		{"a value is added", map[string]any{"more": 1}, nil, "greeting: hello # to all\nmore: 1\n", `text: "hello"`},
		{"null takes a value away", map[string]any{"greeting": nil}, nil, "", `{text: }`},
		{"a chart without values gets some", map[string]any{"greeting": "hi"}, map[string]string{"values.yaml": ""}, "greeting: hi\n", `text: "hi"`},
		{"the schema is met", map[string]any{"greeting": "hi", "name": "a"}, map[string]string{"values.schema.json": schema}, "greeting: hi # to all\nname: a\n", `text: "hi"`},
		{"what the chart's own values lack is left to the user", map[string]any{"greeting": "hi"}, map[string]string{"values.schema.json": schema}, "greeting: hi # to all\n", `text: "hi"`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			d := applyCustomParams(t, c.params, newWebChart(c.files))
			g.Expect(customizing.Apply(t.Context(), d)).To(Succeed())
			g.Expect(d.Customized).To(BeTrue())
			values, _ := d.FindFile("values.yaml")
			if c.values != "" {
				g.Expect(string(values)).To(Equal(c.values))
			}
			g.Expect(d.Units[0].Documents[0].Text).To(ContainSubstring(c.page), "it is rendered again")
		})
	}
}

// TestCustomParamsBelowThePlatform shows that platform values override parameters, as they
// do in an installation.
func TestCustomParamsBelowThePlatform(t *testing.T) {
	g := NewWithT(t)
	d := fetchDraft(t, newWebChart(nil))
	d.Request.Params = map[string]any{"greeting": "from the market"}
	d.Request.Platform = map[string]any{"greeting": "from the platform"}
	g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
	g.Expect(customizing.Apply(t.Context(), d)).To(Succeed())
	g.Expect(d.Units[0].Documents[0].Text).To(ContainSubstring(`text: "from the platform"`))
}

// broken is a renderer that must not be called.
type broken struct{}

func (broken) Render(context.Context, hydrate.RenderInput) (hydrate.Rendered, error) {
	return hydrate.Rendered{}, errors.New("rendered without need")
}

func TestCustomParamsWithoutParams(t *testing.T) {
	for _, params := range []map[string]any{nil, {}} {
		g := NewWithT(t)
		d := applyCustomParams(t, params, newWebChart(map[string]string{"OlaresManifest.yaml": literal}))
		before := *d
		g.Expect(hydrate.CustomParams{Renderer: broken{}}.Apply(t.Context(), d)).To(Succeed())
		g.Expect(*d).To(Equal(before))
	}
}

func TestCustomParamsOfUnits(t *testing.T) {
	g := NewWithT(t)
	page := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {text: {{ .Values.greeting }}}\n"
	d := applyCustomParams(t, map[string]any{"greeting": "hi"}, newWebChart(map[string]string{
		"OlaresManifest.yaml":     literal + "spec: {subCharts: [{name: client}, {name: server}]}\n",
		"client/Chart.yaml":       "apiVersion: v2\nname: client\nversion: 1.0.0\n",
		"client/templates/a.yaml": page,
		"server/Chart.yaml":       "apiVersion: v2\nname: server\nversion: 1.0.0\n",
		"server/templates/a.yaml": page,
		"server/values.yaml":      "greeting: good day # formal\n",
	}))
	g.Expect(customizing.Apply(t.Context(), d)).To(Succeed())
	text := func(name string) string {
		data, _ := d.FindFile(name)
		return string(data)
	}
	g.Expect(text("client/values.yaml")).To(Equal("greeting: hi\n"))
	g.Expect(text("server/values.yaml")).To(Equal("greeting: hi # formal\n"))
	g.Expect(text("values.yaml")).To(Equal("greeting: hello # to all\n"), "the root chart is not a unit")
	for _, unit := range d.Units {
		g.Expect(unit.Documents).To(HaveExactElements(HaveField("Text", ContainSubstring("text: hi"))), unit.Name)
	}
	_, err := chart.Pack("web", d.Files)
	g.Expect(err).NotTo(HaveOccurred(), "the files are in order still")
}

func TestCustomParamsRefuses(t *testing.T) {
	for _, c := range []struct {
		why    string
		params map[string]any
		files  map[string]string
		reason string
		says   string
	}{
		{"a value against the schema", map[string]any{"greeting": "much too long"}, map[string]string{"values.schema.json": schema}, v1alpha1.ReasonSchemaViolation, "greeting: must have at most 10 characters"},
		{"a value of another type", map[string]any{"image": map[string]any{"tag": 2}}, map[string]string{"values.schema.json": `{"properties": {"image": {"properties": {"tag": {"type": "string"}}}}}`}, v1alpha1.ReasonSchemaViolation, "image.tag: must be of type string"},
		{"a value taken away that the schema asks for", map[string]any{"greeting": nil}, map[string]string{"values.schema.json": `{"required": ["greeting"]}`}, v1alpha1.ReasonSchemaViolation, "greeting"},
		{"values that are no map", map[string]any{"greeting": "hi"}, map[string]string{"values.yaml": "[a]\n", "templates/page.yaml": ""}, v1alpha1.ReasonInvalidValues, "values.yaml"},
		{"values over a limit", map[string]any{"greeting": string(make([]byte, chart.MaxFileBytes))}, nil, v1alpha1.ReasonLimitExceeded, "values.yaml"},
		{"a template that fails with them", map[string]any{"fail": true}, map[string]string{"templates/fail.yaml": "{{ if .Values.fail }}{{ fail \"as asked\" }}{{ end }}"}, v1alpha1.ReasonRenderFailed, "templates/fail.yaml:1"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			d := fetchDraft(t, newWebChart(c.files))
			d.Request.Params = c.params
			if c.why == "values that are no map" { // Helm does not render such values.
				d.Units = []hydrate.Unit{{Name: "web"}}
			} else {
				g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
			}
			before := *d
			err := customizing.Apply(t.Context(), d)
			expectStepError(g, hydrate.StepCustomParams, err, c.reason)
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
			g.Expect(len(err.Error())).To(BeNumerically("<", 4096))
			g.Expect(*d).To(Equal(before), "the draft is as it was")
		})
	}
}
