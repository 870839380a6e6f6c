package catalog_test

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
)

// catalogFixture is a catalog with a store that contains one published app.
type catalogFixture struct {
	*catalog.Catalog
	store   *chartrepo.Store
	app     *catalog.App
	version *v1alpha1.PublishedVersion
}

// newCatalogFixture publishes the app web, which consists of these files and a Chart.yaml, in a
// source with the Olares profile.
func newCatalogFixture(t *testing.T, content map[string]string) catalogFixture {
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
	app := appOf([]string{"1.0.0"}, nil)
	app.Source, app.Info.Status.Versions[0].Digest = source, published.Digest
	return catalogFixture{
		Catalog: &catalog.Catalog{
			Archives: store,
			Worker:   hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}},
			Profiles: catalog.Profiles{v1alpha1.ProfileHelm: olares.HelmProfile{}, v1alpha1.ProfileOlares: olares.Profile{}},
		},
		store: store, app: app, version: &app.Info.Status.Versions[0],
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

// newDefaultInputs returns a supply with one input.
func newDefaultInputs(plain bool, name, text string) catalog.DefaultInputs {
	return catalog.DefaultInputs{Texts: map[string]string{name: text}, Plain: map[string]bool{name: plain}}
}

func TestInputs(t *testing.T) {
	type problems = map[string]string
	for _, c := range []struct {
		why  string
		app  map[string]string
		wish catalog.Request
		want problems
	}{
		{"all that is missing, at once", givenInputs(), catalog.Request{Envs: map[string]string{"THEME": "blue", "OTHER": "x"}},
			problems{"PASSWORD": "required", "THEME": "must be one of: light, dark", "OTHER": "unknown input"}},
		{"all is given", givenInputs(), catalog.Request{Envs: map[string]string{"PASSWORD": "hunter2"}}, problems{}},
		{"given among the values", givenInputs(), catalog.Request{Values: map[string]any{"olaresEnv": map[string]any{"PASSWORD": "hunter2"}}}, problems{}},
		{"a password that stands in an object", givenInputs(), catalog.Request{Envs: map[string]string{"PASSWORD": "hunter2"}, Plain: []string{"PASSWORD"}},
			problems{"PASSWORD": "must be set with valueFrom.secretKeyRef, because an object must not store a password"}},
		{"there for every app of the namespace", givenInputs(), catalog.Request{Defaults: newDefaultInputs(false, "PASSWORD", "hunter2")}, problems{}},
		{"there for every app, for everyone to read", givenInputs(), catalog.Request{Defaults: newDefaultInputs(true, "PASSWORD", "hunter2")},
			problems{"PASSWORD": "must be set with valueFrom.secretKeyRef, because an object must not store a password"}},
		{"there for everyone to read, and given from a Secret", givenInputs(),
			catalog.Request{Defaults: newDefaultInputs(true, "PASSWORD", "hunter2"), Envs: map[string]string{"PASSWORD": "hunter3"}}, problems{}},
		{"taken away among the values", givenInputs(), catalog.Request{Envs: map[string]string{"PASSWORD": "hunter2"}, Values: map[string]any{"olaresEnv": map[string]any{"REGION": nil}}},
			problems{"REGION": "required"}},
		{"a plain chart asks for nothing", plainInputs(), catalog.Request{}, problems{}},
		{"a plain chart, given something", plainInputs(), catalog.Request{Envs: map[string]string{"A": "x"}}, problems{"A": "unknown input"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := newCatalogFixture(t, c.app)
			plan, err := s.Prepare(t.Context(), s.app, s.version, c.wish)
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

func TestPrepare(t *testing.T) {
	for _, c := range []struct {
		why  string
		app  map[string]string
		wish catalog.Request
		want []string
	}{
		{"the platform over the chart", plainInputs(), catalog.Request{}, []string{"by: platform", "zone: north", "chart: own", "theme: none"}},
		{"the tenant over the platform", plainInputs(), catalog.Request{Values: map[string]any{"by": "tenant"}}, []string{"by: tenant", "zone: north", "chart: own"}},
		{"null takes a value of the chart away", plainInputs(), catalog.Request{Values: map[string]any{"by": nil}}, []string{"by: none"}},
		{"inputs over all", givenInputs(), catalog.Request{
			Values: map[string]any{"by": "tenant", "olaresEnv": map[string]any{"THEME": "dark"}}, Envs: map[string]string{"PASSWORD": "hunter2", "THEME": "light"},
		}, []string{"by: tenant", "theme: light", "region: here"}},
		{"inputs that are not given", givenInputs(), catalog.Request{Envs: map[string]string{"PASSWORD": "hunter2"}}, []string{"theme: light", "region: here"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := newCatalogFixture(t, c.app)
			plan, err := s.Prepare(t.Context(), s.app, s.version, c.wish)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(plan.InputProblems).To(BeEmpty())
			g.Expect(plan.Draft.Units).To(HaveLen(1))
			for _, line := range c.want {
				g.Expect(plan.Draft.Units[0].Documents[0].Text + "\n").To(ContainSubstring("  " + line + "\n"))
			}
		})
	}
}

func TestPrepareChangesNothing(t *testing.T) {
	g := NewWithT(t)
	s := newCatalogFixture(t, givenInputs())
	wish := catalog.Request{
		Values: map[string]any{"olaresEnv": map[string]any{"THEME": "dark"}, "list": []any{"a"}},
		Envs:   map[string]string{"PASSWORD": "hunter2", "OTHER": "x"},
	}
	app := s.app.Info.DeepCopy()
	for range 2 {
		_, err := s.Prepare(t.Context(), s.app, s.version, wish)
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(wish.Values).To(Equal(map[string]any{"olaresEnv": map[string]any{"THEME": "dark"}, "list": []any{"a"}}))
	g.Expect(wish.Envs).To(HaveLen(2))
	g.Expect(s.app.Info).To(Equal(app))
}

func TestPrepareRefuses(t *testing.T) {
	for _, c := range []struct {
		why    string
		app    map[string]string
		wish   catalog.Request
		reason string
	}{
		{"values that the chart cannot take", map[string]string{"templates/page.yaml": "a: {{ required \"give a name\" .Values.name }}\n"}, catalog.Request{At: hydrate.InstallTarget{Namespace: "home", Instance: "web"}}, v1alpha1.ReasonRenderFailed},
		{"a template that the values break", plainInputs(), catalog.Request{Values: map[string]any{"zone": map[string]any{"a": "b: c: d"}, "by": "a: b: c"}}, v1alpha1.ReasonRenderFailed},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := newCatalogFixture(t, c.app)
			_, err := s.Prepare(t.Context(), s.app, s.version, c.wish)
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
		})
	}
}

func TestPrepareWithoutTheChart(t *testing.T) {
	g := NewWithT(t)
	s := newCatalogFixture(t, plainInputs())
	s.version.Digest = chart.Digest(nil)
	_, err := s.Prepare(t.Context(), s.app, s.version, catalog.Request{})
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonChartMissing))
	g.Expect(outcome.IsStalled(err)).To(BeFalse(), "it is published again")
	g.Expect(err).To(MatchError(ContainSubstring("web-1.0.0")))
}

func TestPrepareOfAnUnknownProfile(t *testing.T) {
	g := NewWithT(t)
	s := newCatalogFixture(t, plainInputs())
	s.app.Source.Spec.Platform.Profile = "Other"
	_, err := s.Prepare(t.Context(), s.app, s.version, catalog.Request{})
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidSpec))
}
