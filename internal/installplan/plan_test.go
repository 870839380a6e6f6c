package installplan

import (
	"encoding/json"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/platform"
	"github.com/appmarket/operator/internal/release"
)

// planFixture is a planner with a store that contains one published app.
type planFixture struct {
	*Planner
	app     *catalog.App
	version *v1alpha1.PublishedVersion
}

// newPlanFixture publishes the app web, which consists of these files and a Chart.yaml, in a
// source with the Olares profile.
func newPlanFixture(t *testing.T, content map[string]string) planFixture {
	t.Helper()
	g := NewWithT(t)
	store, err := chartrepo.Open(t.TempDir(), chartrepo.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { NewWithT(t).Expect(store.Close()).To(Succeed()) })

	content["Chart.yaml"] = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
	var files []chart.File
	for name, text := range content {
		files = append(files, chart.File{Name: name, Data: []byte(text)})
	}
	archive, err := chart.Pack("web", files)
	g.Expect(err).NotTo(HaveOccurred())
	meta, err := chart.ReadMetadata(files)
	g.Expect(err).NotTo(HaveOccurred())
	packed, err := json.Marshal(meta)
	g.Expect(err).NotTo(HaveOccurred())
	published, err := store.Publish(t.Context(), hydrate.PublishRequest{
		Owner: hydrate.Owner{Namespace: "market", Source: "main"}, App: "web", Version: "1.0.0",
		Chart: packed, Archive: archive, Digest: chart.Digest(archive),
	})
	g.Expect(err).NotTo(HaveOccurred())

	source := &v1alpha1.MarketSource{}
	source.Namespace, source.Name = "market", "main"
	source.Spec.Platform = &v1alpha1.Platform{
		Profile: v1alpha1.ProfileOlares,
		Values:  &runtime.RawExtension{Raw: []byte(`{"by": "platform", "zone": "north", "olaresEnv": {"REGION": "here"}}`)},
	}
	info := &v1alpha1.AppInfo{}
	info.Namespace, info.Name, info.Spec.App = "market", "main.web", "web"
	info.Status.Versions = []v1alpha1.PublishedVersion{{Version: "1.0.0", Digest: published.Digest}}
	return planFixture{
		Planner: &Planner{
			Archives: store,
			Worker:   hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}},
			Profiles: platform.Profiles{v1alpha1.ProfileHelm: olares.HelmProfile{}, v1alpha1.ProfileOlares: olares.Profile{}},
		},
		app: &catalog.App{Source: source, Info: info}, version: &info.Status.Versions[0],
	}
}

// newPlan returns a plan with these settings, for which everything is read.
func (f planFixture) newPlan(given settings) *Plan {
	tenant := release.Tenant{Namespace: "demo", ServiceAccount: "installer"}
	return &Plan{
		Request: Request{App: f.app, Version: f.version, Tenant: tenant, Instance: "web"}, settings: given, planner: f.Planner, isComplete: true,
	}
}

// page is a template that renders its values.
const page = `apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data:
  by: {{ .Values.by | default "none" }}
  zone: {{ .Values.zone }}
  chart: {{ .Values.chart }}
  theme: {{ (.Values.olaresEnv).THEME | default "none" }}
  region: {{ (.Values.olaresEnv).REGION | default "none" }}
`

// asking is a manifest with a required input, one with a default, and one that the platform
// supplies.
const asking = `olaresManifest.version: 0.12.0
metadata: {name: web, version: 1.0.0}
envs:
  - {envName: PASSWORD, type: password, required: true}
  - {envName: THEME, type: string, default: light, editable: true, options: [{title: Light, value: light}, {title: Dark, value: dark}]}
  - {envName: REGION, type: string, required: true}
`

func givenInputs() map[string]string {
	return map[string]string{"OlaresManifest.yaml": asking, "templates/page.yaml": page, "values.yaml": "chart: own\nby: chart\n"}
}

func plainInputs() map[string]string {
	return map[string]string{"templates/page.yaml": page, "values.yaml": "chart: own\nby: chart\n"}
}

// newSuppliedInputs returns one supplied input.
func newSuppliedInputs(plain bool, name, text string) suppliedInputs {
	return suppliedInputs{texts: map[string]string{name: text}, plain: map[string]bool{name: plain}}
}

func TestInputs(t *testing.T) {
	type problems = map[string]string
	for _, c := range []struct {
		why   string
		app   map[string]string
		given settings
		want  problems
	}{
		{"all that is missing, at once", givenInputs(), settings{inputs: map[string]string{"THEME": "blue", "OTHER": "x"}},
			problems{"PASSWORD": "required", "THEME": "must be one of: light, dark", "OTHER": "unknown input"}},
		{"all is given", givenInputs(), settings{inputs: map[string]string{"PASSWORD": "hunter2"}}, problems{}},
		{"given among the values", givenInputs(), settings{values: map[string]any{"olaresEnv": map[string]any{"PASSWORD": "hunter2"}}}, problems{}},
		{"a password that stands in an object", givenInputs(), settings{inputs: map[string]string{"PASSWORD": "hunter2"}, plain: []string{"PASSWORD"}},
			problems{"PASSWORD": "must be set with valueFrom.secretKeyRef, because an object must not store a password"}},
		{"there for every app of the namespace", givenInputs(), settings{supplied: newSuppliedInputs(false, "PASSWORD", "hunter2")}, problems{}},
		{"there for every app, for everyone to read", givenInputs(), settings{supplied: newSuppliedInputs(true, "PASSWORD", "hunter2")},
			problems{"PASSWORD": "must be set with valueFrom.secretKeyRef, because an object must not store a password"}},
		{"there for everyone to read, and given from a Secret", givenInputs(),
			settings{supplied: newSuppliedInputs(true, "PASSWORD", "hunter2"), inputs: map[string]string{"PASSWORD": "hunter3"}}, problems{}},
		{"taken away among the values", givenInputs(), settings{inputs: map[string]string{"PASSWORD": "hunter2"}, values: map[string]any{"olaresEnv": map[string]any{"REGION": nil}}},
			problems{"REGION": "required"}},
		{"a plain chart asks for nothing", plainInputs(), settings{}, problems{}},
		{"a plain chart, given something", plainInputs(), settings{inputs: map[string]string{"A": "x"}}, problems{"A": "unknown input"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := newPlanFixture(t, c.app)
			plan, err := s.newPlan(c.given).Render(t.Context(), nil)
			g.Expect(err).NotTo(HaveOccurred())
			got := problems{}
			for _, w := range plan.InputProblems {
				got[w.Input.Name] = w.Problem
			}
			g.Expect(got).To(Equal(c.want))
			g.Expect(plan.Draft.Units == nil).To(Equal(len(plan.InputProblems) > 0), "nothing is rendered with inputs that are wrong")
		})
	}
}

func TestRender(t *testing.T) {
	for _, c := range []struct {
		why   string
		app   map[string]string
		given settings
		want  []string
	}{
		{"the platform over the chart", plainInputs(), settings{}, []string{"by: platform", "zone: north", "chart: own", "theme: none"}},
		{"the tenant over the platform", plainInputs(), settings{values: map[string]any{"by": "tenant"}}, []string{"by: tenant", "zone: north", "chart: own"}},
		{"null takes a value of the chart away", plainInputs(), settings{values: map[string]any{"by": nil}}, []string{"by: none"}},
		{"inputs over all", givenInputs(), settings{
			values: map[string]any{"by": "tenant", "olaresEnv": map[string]any{"THEME": "dark"}}, inputs: map[string]string{"PASSWORD": "hunter2", "THEME": "light"},
		}, []string{"by: tenant", "theme: light", "region: here"}},
		{"inputs that are not given", givenInputs(), settings{inputs: map[string]string{"PASSWORD": "hunter2"}}, []string{"theme: light", "region: here"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := newPlanFixture(t, c.app)
			plan, err := s.newPlan(c.given).Render(t.Context(), nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(plan.InputProblems).To(BeEmpty())
			g.Expect(plan.Draft.Units).To(HaveLen(1))
			for _, line := range c.want {
				g.Expect(plan.Draft.Units[0].Documents[0].Text + "\n").To(ContainSubstring("  " + line + "\n"))
			}
		})
	}
}

func TestRenderChangesNothing(t *testing.T) {
	g := NewWithT(t)
	s := newPlanFixture(t, givenInputs())
	given := settings{
		values: map[string]any{"olaresEnv": map[string]any{"THEME": "dark"}, "list": []any{"a"}},
		inputs: map[string]string{"PASSWORD": "hunter2", "OTHER": "x"},
	}
	app := s.app.Info.DeepCopy()
	for range 2 {
		_, err := s.newPlan(given).Render(t.Context(), nil)
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(given.values).To(Equal(map[string]any{"olaresEnv": map[string]any{"THEME": "dark"}, "list": []any{"a"}}))
	g.Expect(given.inputs).To(HaveLen(2))
	g.Expect(s.app.Info).To(Equal(app))
}

func TestRenderRefuses(t *testing.T) {
	for _, c := range []struct {
		why    string
		app    map[string]string
		given  settings
		reason string
	}{
		{"values that the chart cannot take", map[string]string{"templates/page.yaml": "a: {{ required \"give a name\" .Values.name }}\n"}, settings{}, v1alpha1.ReasonRenderFailed},
		{"a template that the values break", plainInputs(), settings{values: map[string]any{"zone": map[string]any{"a": "b: c: d"}, "by": "a: b: c"}}, v1alpha1.ReasonRenderFailed},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := newPlanFixture(t, c.app)
			_, err := s.newPlan(c.given).Render(t.Context(), nil)
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
		})
	}
}

func TestRenderWithoutTheChart(t *testing.T) {
	g := NewWithT(t)
	s := newPlanFixture(t, plainInputs())
	s.version.Digest = chart.Digest(nil)
	_, err := s.newPlan(settings{}).Render(t.Context(), nil)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonChartNotFound))
	g.Expect(outcome.IsStalled(err)).To(BeFalse(), "it is published again")
	g.Expect(err).To(MatchError(ContainSubstring(`app "web", version 1.0.0`)))
}

func TestRenderWithAnUnknownProfile(t *testing.T) {
	g := NewWithT(t)
	s := newPlanFixture(t, plainInputs())
	s.app.Source.Spec.Platform.Profile = "Other"
	_, err := s.newPlan(settings{}).Render(t.Context(), nil)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidSpec))
}
