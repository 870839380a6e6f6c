package hydrate_test

import (
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/values"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

const (
	questions = "questions:\n- {variable: name, label: Your name, required: true}\n- {variable: auth.password, type: password}\n- {variable: theme, default: dark}\n"
	asking    = `{"type": "object", "required": ["name", "auth", "host"], "properties": {
		"name": {"type": "string", "title": "Name by the schema"},
		"auth": {"type": "object", "required": ["password"], "properties": {"password": {"type": "string", "minLength": 8}}},
		"host": {"type": "string", "format": "hostname"},
		"greeting": {"type": "string", "description": "What to say."}}}`
)

// inputTexts returns the names of a draft's inputs, with a star if required, and their defaults.
func inputTexts(d *hydrate.Draft) []string {
	var all []string
	for _, in := range d.Inputs {
		word := in.Name
		if in.Required {
			word += "*"
		}
		if in.Default != "" {
			word += "=" + in.Default
		}
		all = append(all, word)
	}
	return all
}

func TestAppInputs(t *testing.T) {
	for _, c := range []struct {
		why    string
		files  map[string]string
		params map[string]any
		want   []string
		warns  []string
	}{
		{"a chart that asks for nothing", nil, nil, nil, nil},
		{"a schema", map[string]string{"values.schema.json": asking}, nil, []string{"auth.password*", "host*", "name*", "greeting=hello"}, nil},
		{"parameters that give what is asked for", map[string]string{"values.schema.json": asking}, map[string]any{"host": "a.example", "greeting": "hi"},
			[]string{"auth.password*", "name*", "greeting=hi"}, nil},
		{"questions", map[string]string{"questions.yaml": questions}, nil, []string{"name*", "auth.password", "theme=dark"}, nil},
		{"questions in a file of the other name", map[string]string{"questions.yml": questions}, nil, []string{"name*", "auth.password", "theme=dark"}, nil},
		{"questions that the values answer", map[string]string{"questions.yaml": questions, "values.yaml": "name: web\ntheme: light\n"}, nil,
			[]string{"name*=web", "auth.password", "theme=dark"}, nil},
		{"questions and a schema", map[string]string{"questions.yaml": questions, "values.schema.json": asking}, nil,
			[]string{"name*", "auth.password*", "theme=dark", "host*", "greeting=hello"}, nil},
		{"questions that cannot be read", map[string]string{"questions.yaml": "a: b: c", "values.schema.json": asking}, nil,
			[]string{"auth.password*", "host*", "name*", "greeting=hello"}, []string{"questions.yaml is ignored"}},
		{"a schema that cannot be read", map[string]string{"questions.yaml": questions, "values.schema.json": "{"}, nil,
			[]string{"name*", "auth.password", "theme=dark"}, []string{"values.schema.json is ignored"}},
		{"the envs of a manifest", map[string]string{"questions.yaml": questions, "OlaresManifest.yaml": literal + "envs: [{envName: NAME, required: true}]\n"}, nil, []string{"NAME*"}, nil},
		{"a manifest without envs", map[string]string{"questions.yaml": questions, "OlaresManifest.yaml": literal}, nil, []string{"name*", "auth.password", "theme=dark"}, nil},
		{"units", map[string]string{
			"OlaresManifest.yaml":       literal + "spec: {subCharts: [{name: client}, {name: server}]}\n",
			"questions.yaml":            questions,
			"client/Chart.yaml":         "apiVersion: v2\nname: client\nversion: 1.0.0\n",
			"client/questions.yaml":     "questions: [{variable: name, label: Name of the client}]\n",
			"server/Chart.yaml":         "apiVersion: v2\nname: server\nversion: 1.0.0\n",
			"server/values.schema.json": asking,
		}, nil, []string{"name*", "auth.password*", "host*", "greeting"}, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			d := applyCustomParams(t, c.params, newWebChart(c.files))
			g.Expect(inputTexts(d)).To(Equal(c.want))
			g.Expect(d.InputWarnings).To(HaveLen(len(c.warns)))
			for i, warns := range c.warns {
				g.Expect(d.InputWarnings[i]).To(HavePrefix(warns))
			}
		})
	}
}

func TestAppInputsPreferQuestions(t *testing.T) {
	g := NewWithT(t)
	d := applyCustomParams(t, nil, newWebChart(map[string]string{"questions.yaml": questions, "values.schema.json": asking}))
	g.Expect(d.Inputs[0]).To(Equal(inputs.Input{Name: "name", Path: "name", Type: "string", Title: "Your name", Required: true, Editable: true}))
	g.Expect(d.Inputs[1].Required).To(BeTrue(), "the schema would refuse values without it")
}

func TestAppInputsAreBounded(t *testing.T) {
	g := NewWithT(t)
	var many strings.Builder
	many.WriteString("questions:\n")
	for _, a := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		for _, b := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
			many.WriteString("- {variable: " + a + b + ", type: nothing known}\n- {variable: x" + a + b + "}\n")
		}
	}
	d := applyCustomParams(t, nil, newWebChart(map[string]string{"questions.yaml": many.String(), "values.schema.json": asking}))
	g.Expect(len(d.Inputs)).To(BeNumerically("<=", inputs.MaxChartInputs))
	g.Expect(len(d.InputWarnings)).To(BeNumerically("<=", 20))
}

// TestAppInputsReachTheChart passes inputs from a form to the rendered chart.
func TestAppInputsReachTheChart(t *testing.T) {
	g := NewWithT(t)
	d := applyCustomParams(t, nil, newWebChart(map[string]string{
		"values.yaml": "tag: 1.10\nport: 80\ntls: {}\n",
		"questions.yaml": "questions:\n- {variable: tag}\n- {variable: port, type: int}\n- {variable: tls.on, type: boolean, required: true}\n" +
			"- {variable: who, show_if: tls.on=false, required: true}\n- {variable: theme, default: dark}\n",
		"templates/page.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n" +
			"{{ range list .Values.tag .Values.port .Values.tls.on .Values.who .Values.theme }}{{ printf \"  - %v %T\\n\" . . }}{{ end }}",
	}))
	_, wrong := inputs.CheckInputs(d.Inputs, nil, nil)
	g.Expect(wrong).To(HaveExactElements(HaveField("Input.Name", "tls.on")), "a hidden input is not required")

	given := map[string]string{"tls.on": "True", "port": "8080"}
	d.Request.Platform = map[string]any{"tag": 1.5}
	supplied := inputs.SuppliedTexts(d.Inputs, d.Request.Platform)
	checked, wrong := inputs.CheckInputs(d.Inputs, given, supplied)
	g.Expect(wrong).To(BeEmpty())
	d.Request.Platform = values.Overlay(d.Request.Platform, inputs.ChartValues(d.Inputs, checked, d.Request.Platform))
	g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
	g.Expect(strings.Split(d.Units[0].Documents[0].Text, "data:\n")[1]).To(Equal(strings.Join([]string{
		"  - 1.5 float64", "  - 8080 int64", "  - true bool", "  - <nil> <nil>", "  - dark string",
	}, "\n")))
}
