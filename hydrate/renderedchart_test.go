package hydrate_test

import (
	"context"
	"testing"

	"github.com/appmarket/operator/internal/objects"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
)

var rendering = hydrate.RenderedChart{Renderer: render.Engine{}, Reader: olares.Reader{}}

// literal and templated are manifests in the two formats.
const (
	literal   = "olaresManifest.version: 0.12.0\nmetadata: {name: web, version: 1.0.0, title: '{{ not a template }}'}\n"
	templated = "olaresManifest.version: 0.9.0\nmetadata: {name: {{ .Release.Name }}, version: 1.0.0, title: {{ .Values.title }}}\n"
)

func TestRenderedChart(t *testing.T) {
	g := NewWithT(t)
	d := fetchDraft(t, newWebChart(nil))
	d.Request.Platform = map[string]any{"greeting": "good day"}
	g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
	g.Expect(d.Manifest).To(BeNil(), "a plain chart has none")
	g.Expect(d.Units).To(HaveLen(1))
	g.Expect(d.Units[0].Name).To(Equal("web"))
	g.Expect(d.Units[0].Dir).To(BeEmpty())
	g.Expect(d.Units[0].Values).To(Equal(map[string]any{"greeting": "good day"}))
	g.Expect(d.Units[0].Documents).To(HaveExactElements(HaveField("Text", ContainSubstring(`{text: "good day"}`))))
	g.Expect(d.AllObjects()).To(Equal([]objects.Object{{APIVersion: "v1", Kind: "ConfigMap", Name: "page"}}))
}

func TestRenderedChartReadsManifests(t *testing.T) {
	for _, c := range []struct {
		why   string
		text  string
		title string
	}{
		{"a literal one, with braces", literal, "{{ not a template }}"},
		{"a template", templated, "The web"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			d := fetchDraft(t, newWebChart(map[string]string{"OlaresManifest.yaml": c.text}))
			d.Request.Platform = map[string]any{"title": "The web"}
			g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
			g.Expect(d.Manifest.Title).To(Equal(c.title))
		})
	}
}

// TestRenderedChartOverlaysThePlatform shows which values the platform values override, and
// that null removes a default of the chart.
func TestRenderedChartOverlaysThePlatform(t *testing.T) {
	g := NewWithT(t)
	d := fetchDraft(t, newWebChart(map[string]string{
		"values.yaml":         "greeting: hello\nfarewell: bye\n",
		"templates/page.yaml": `{"kind": "A", "apiVersion": "v1", "of": {{ list .Values.sysVersion .Values.user.zone (.Values.farewell | default "none") | toJson }}}`,
	}))
	d.Request.Profile = olares.Profile{}
	d.Request.Platform = map[string]any{"sysVersion": "9.9.9", "farewell": nil}
	g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
	g.Expect(d.Units[0].Documents[0].Text).To(ContainSubstring(`["9.9.9","admin.example.com","none"]`))
}

func TestRenderedChartRefuses(t *testing.T) {
	for _, c := range []struct {
		why    string
		files  map[string]string
		reason string
		says   string
	}{
		{"a template that is none", map[string]string{"templates/page.yaml": "kind: {{ if }}\n"}, v1alpha1.ReasonRenderFailed, "templates/page.yaml:1"},
		{"a function that is none", map[string]string{"templates/page.yaml": "a: {{ nosuch }}\n"}, v1alpha1.ReasonRenderFailed, "templates/page.yaml:1"},
		{"a template that is not there", map[string]string{"templates/page.yaml": "a: {{ include \"nosuch\" . }}\n"}, v1alpha1.ReasonRenderFailed, "no template \"nosuch\""},
		{"a template that includes itself", map[string]string{"templates/page.yaml": "{{ define \"x\" }}{{ include \"x\" . }}{{ end }}a: {{ include \"x\" . }}\n"}, v1alpha1.ReasonRenderFailed, "nested reference"},
		{"text that is no YAML", map[string]string{"templates/page.yaml": "kind: A\nb: c: d\n"}, v1alpha1.ReasonRenderFailed, "templates/page.yaml"},
		{"a manifest of another app", map[string]string{"OlaresManifest.yaml": "olaresManifest.version: 0.12.0\nmetadata: {name: blog, version: 1.0.0}\n"}, v1alpha1.ReasonInvalidManifest, `metadata.name: Invalid value: "blog": must be the name "web" of the chart`},
		{"a manifest that is no YAML", map[string]string{"OlaresManifest.yaml": "olaresManifest.version: 0.12.0\na: b: c\n"}, v1alpha1.ReasonInvalidManifest, "OlaresManifest.yaml"},
		{"a manifest of another form", map[string]string{"OlaresManifest.yaml": "olaresManifest.version: 0.12.0\nmetadata: [web]\n"}, v1alpha1.ReasonInvalidManifest, "OlaresManifest.yaml"},
		{"an empty manifest", map[string]string{"OlaresManifest.yaml": ""}, v1alpha1.ReasonInvalidManifest, "OlaresManifest.yaml"},
		{"a manifest that does not render", map[string]string{"OlaresManifest.yaml": "a: 1\ntitle: {{ .Values.no.such }}\n"}, v1alpha1.ReasonRenderFailed, "OlaresManifest.yaml:2"},
		{"a manifest that renders to no YAML", map[string]string{"OlaresManifest.yaml": "a: {{ \"b: c: d\" }}\n"}, v1alpha1.ReasonInvalidManifest, "OlaresManifest.yaml"},
		{"a unit that is not there", map[string]string{"OlaresManifest.yaml": literal + "spec: {subCharts: [{name: server}]}\n"}, v1alpha1.ReasonInvalidManifest, `spec.subCharts: Invalid value: "server": file server/Chart.yaml not found`},
		{"a unit outside of the app", map[string]string{"OlaresManifest.yaml": literal + "spec: {subCharts: [{name: ../other}]}\n"}, v1alpha1.ReasonInvalidManifest, ""},
		{"a unit that does not render", map[string]string{
			"OlaresManifest.yaml":     literal + "spec: {subCharts: [{name: server}]}\n",
			"server/Chart.yaml":       "apiVersion: v2\nname: server\nversion: 1.0.0\n",
			"server/templates/a.yaml": "a: {{ nosuch }}\n",
		}, v1alpha1.ReasonRenderFailed, "chart server: templates/a.yaml:1"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			d := fetchDraft(t, newWebChart(c.files))
			err := rendering.Apply(t.Context(), d)
			expectStepError(g, hydrate.StepRenderedChart, err, c.reason)
			g.Expect(err).To(MatchError(And(ContainSubstring(c.says), Not(ContainSubstring("NOTES.txt")))))
			g.Expect(d.Units).To(BeNil(), "the draft is as it was")
			g.Expect(d.Manifest).To(BeNil())
		})
	}
}

// TestRenderedChartThatNeedsValues covers errors that other values may fix. They do not
// fail the chart in hydration but do in an installation.
func TestRenderedChartThatNeedsValues(t *testing.T) {
	for _, c := range []struct {
		why  string
		text string
		says string
	}{
		{"required", "a: 1\nb: {{ required \"give a name\" .Values.name }}\n", "chart web: templates/page.yaml:2: give a name"},
		{"fail", "{{ if not .Values.driver }}{{ fail \"choose a driver\" }}{{ end }}", "chart web: templates/page.yaml:1: choose a driver"},
		{"a value below one that is not there", "kind: A\n\na: {{ .Values.no.such }}\n", "chart web: templates/page.yaml:3: nil pointer evaluating interface {}.such; give .Values.no.such"},
		{"a value of another type than a function takes", "a: {{ index .Values.greeting \"x\" }}\n", "chart web: templates/page.yaml:1: "},
		{"text given to tpl", "a: {{ tpl \"{{ required \\\"give a host\\\" .Values.host }}\" . }}\n", "give a host"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			files := newWebChart(map[string]string{"templates/page.yaml": c.text})
			d := fetchDraft(t, files)
			g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
			g.Expect(d.Units).To(HaveExactElements(HaveField("Documents", BeEmpty())))
			g.Expect(d.UnrenderedReason()).To(ContainSubstring(c.says))
			g.Expect(d.ListWarnings()).To(HaveExactElements(ContainSubstring(c.says)))
			g.Expect(customizing.Apply(t.Context(), d)).To(Succeed())
			g.Expect(d.Clone).To(BeNil(), "what is not known is not compared")

			d = fetchDraft(t, files)
			d.Request.At = hydrate.InstallTarget{Namespace: "home", Instance: "web"}
			err := rendering.Apply(t.Context(), d)
			expectStepError(g, hydrate.StepRenderedChart, err, v1alpha1.ReasonRenderFailed)
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
		})
	}
}

// TestRenderedChartThatLooksUp shows that lookup returns objects of the cluster in an
// installation and nothing in hydration.
func TestRenderedChartThatLooksUp(t *testing.T) {
	g := NewWithT(t)
	const says = "create the Secret token first"
	files := newWebChart(map[string]string{"templates/guard.yaml": "{{ if not (lookup \"v1\" \"Secret\" .Release.Namespace \"token\") }}{{ fail \"" + says + "\" }}{{ end }}"})
	d := fetchDraft(t, files)
	g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
	g.Expect(d.UnrenderedReason()).To(ContainSubstring(says))

	d = fetchDraft(t, files)
	d.Request.At = hydrate.InstallTarget{Namespace: "home", Instance: "web"}
	secrets := map[string]any{}
	d.Request.Lookup = func(_ context.Context, query hydrate.LookupQuery) (map[string]any, error) {
		g.Expect(query).To(Equal(hydrate.LookupQuery{APIVersion: "v1", Kind: "Secret", Namespace: "home", Name: "token"}))
		return secrets, nil
	}
	secrets["data"] = "something"
	g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
	g.Expect([]any{d.UnrenderedReason(), d.Units[0].Lookups}).To(Equal([]any{"", 1}))
	secrets = nil
	g.Expect(rendering.Apply(t.Context(), d)).To(MatchError(ContainSubstring(says)))
}

// TestRenderedChartOfALibrary shows that a library chart is published but not installed.
func TestRenderedChartOfALibrary(t *testing.T) {
	g := NewWithT(t)
	files := newWebChart(map[string]string{"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\ntype: library\n"})
	d := fetchDraft(t, files)
	d.Request.Params = map[string]any{"greeting": "hi"}
	g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
	g.Expect(customizing.Apply(t.Context(), d)).To(Succeed())
	g.Expect([]any{d.AllObjects(), d.ListWarnings()}).To(HaveEach(BeEmpty()))
	g.Expect(d.Clone).To(BeNil())

	d = fetchDraft(t, files)
	d.Request.At = hydrate.InstallTarget{Namespace: "home", Instance: "web"}
	err := rendering.Apply(t.Context(), d)
	expectStepError(g, hydrate.StepRenderedChart, err, v1alpha1.ReasonRenderFailed)
	g.Expect(err).To(MatchError(ContainSubstring("is a library")))
}

// TestRenderedChartAgainstSchemas shows that the chart's own values may violate its schema
// and the schema of a dependency, but the values of an installation may not.
func TestRenderedChartAgainstSchemas(t *testing.T) {
	g := NewWithT(t)
	files := newWebChart(map[string]string{
		"charts/db/Chart.yaml":         "apiVersion: v2\nname: db\nversion: 1.0.0\n",
		"charts/db/values.schema.json": `{"required": ["password"]}`,
	})
	d := fetchDraft(t, files)
	const says = `values do not match values.schema.json of chart "db": db.password: Required value`
	g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
	g.Expect(d.AllObjects()).To(HaveLen(1), "it renders all the same")
	g.Expect(d.ListWarnings()).To(HaveExactElements(says + "; set other values when you install the app"))

	d = fetchDraft(t, files)
	d.Request.At = hydrate.InstallTarget{Namespace: "home", Instance: "web"}
	err := rendering.Apply(t.Context(), d)
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonSchemaViolation))
	g.Expect(err).To(MatchError(ContainSubstring(says)))
}

func TestRenderedChartStopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	NewWithT(t).Expect(rendering.Apply(ctx, fetchDraft(t, newWebChart(nil)))).To(MatchError(context.Canceled))
}

func TestUnits(t *testing.T) {
	g := NewWithT(t)
	files := newWebChart(map[string]string{"client/Chart.yaml": "c", "client/templates/a.yaml": "a", "clients/b.yaml": "b", "server/Chart.yaml": "s"})
	units, err := hydrate.ListUnits("web", files, nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(units).To(Equal([]hydrate.Unit{{Name: "web"}}))

	of := &hydrate.Manifest{SubCharts: []hydrate.SubChart{{Name: "server", Shared: true}, {Name: "client"}}}
	units, err = hydrate.ListUnits("web", files, of)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(units).To(Equal([]hydrate.Unit{{Name: "server", Dir: "server"}, {Name: "client", Dir: "client"}}), "in the order of the manifest")

	g.Expect(hydrate.UnitFiles(files, "client")).To(Equal(filesOf(map[string]string{"Chart.yaml": "c", "templates/a.yaml": "a"})))
	g.Expect(hydrate.UnitFiles(files, "")).To(Equal(files))
}

// TestRenderedChartOfAPlace shows which units of an app are installed in a namespace.
func TestRenderedChartOfAPlace(t *testing.T) {
	const chart = "apiVersion: v2\nversion: 1.0.0\nname: "
	files := func(units string) map[string]string {
		return map[string]string{
			"OlaresManifest.yaml": literal + "spec: {subCharts: " + units + "}\n",
			"server/Chart.yaml":   chart + "server\n",
			"client/Chart.yaml":   chart + "client\n",
			"tool/Chart.yaml":     chart + "tool\n",
		}
	}
	const all = "[{name: server, shared: true}, {name: client}, {name: tool}]"
	for _, c := range []struct {
		why       string
		units     string
		namespace string
		want      []string
	}{
		{"no place: all of them", all, "", []string{"server", "client", "tool"}},
		{"the namespace of the shared one: that alone", all, "server-shared", []string{"server"}},
		{"any other: the others", all, "home", []string{"client", "tool"}},
		{"the namespace of one that is not shared", all, "client-shared", []string{"client", "tool"}},
		{"two shared ones: each in its own", "[{name: server, shared: true}, {name: tool, shared: true}, {name: client}]", "tool-shared", []string{"tool"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			d := fetchDraft(t, newWebChart(files(c.units)))
			if c.namespace != "" {
				d.Request.At = hydrate.InstallTarget{Namespace: c.namespace, Instance: "web"}
			}
			g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
			var got []string
			for _, u := range d.Units {
				got = append(got, u.Name)
			}
			g.Expect(got).To(Equal(c.want))
			g.Expect(d.Manifest.IsSharedIn(c.namespace)).To(Equal(len(got) == 1))
		})
	}
	g := NewWithT(t)
	d := fetchDraft(t, newWebChart(files("[{name: server, shared: true}, {name: tool, shared: true}]")))
	d.Request.At = hydrate.InstallTarget{Namespace: "home", Instance: "web"}
	err := rendering.Apply(t.Context(), d)
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
	g.Expect(err).To(MatchError(ContainSubstring("install it in server-shared or tool-shared")))
}
