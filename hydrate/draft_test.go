package hydrate_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/objects"

	. "github.com/onsi/gomega"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/test/conformance"
)

// filesOf returns files sorted by name.
func filesOf(content map[string]string) []chart.File {
	var files []chart.File
	for _, name := range slices.Sorted(maps.Keys(content)) {
		files = append(files, chart.File{Name: name, Data: []byte(content[name])})
	}
	return files
}

// newWebChart returns a chart with one ConfigMap. The files in more are added or replaced.
func newWebChart(more map[string]string) []chart.File {
	content := map[string]string{
		"Chart.yaml":          "apiVersion: v2\nname: web\nversion: 1.0.0\n",
		"values.yaml":         "greeting: hello # to all\n",
		"templates/page.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\ndata: {text: {{ .Values.greeting | quote }}}\n",
	}
	maps.Copy(content, more)
	return filesOf(content)
}

// delivery is a source that returns the same chart for every offer.
type delivery struct {
	payload hydrate.ChartContent
	err     error
}

func (d delivery) Fetch(context.Context, hydrate.Offer) (hydrate.ChartContent, error) {
	return d.payload, d.err
}

// newRequest returns a request for version 1.0.0 of the app web, which has these files.
func newRequest(files []chart.File) hydrate.Request {
	return hydrate.Request{
		Owner: hydrate.Owner{Namespace: "market", Source: "main"}, App: "web",
		Offer:   hydrate.Offer{Version: "1.0.0"},
		Source:  delivery{payload: hydrate.ChartContent{Files: files}},
		Profile: olares.HelmProfile{},
	}
}

// fetchDraft returns a draft after the step SourceChart.
func fetchDraft(t *testing.T, files []chart.File) *hydrate.Draft {
	t.Helper()
	d := &hydrate.Draft{Request: newRequest(files)}
	NewWithT(t).Expect(hydrate.SourceChart{}.Apply(t.Context(), d)).To(Succeed())
	return d
}

// milestones maps each step to its condition.
var milestones = map[hydrate.Name]string{
	hydrate.StepSourceChart:   v1alpha1.ConditionFetched,
	hydrate.StepRenderedChart: v1alpha1.ConditionRendered,
	hydrate.StepCustomParams:  v1alpha1.ConditionCustomized,
	hydrate.StepImageAnalysis: v1alpha1.ConditionAnalyzed,
	hydrate.StepRepoUpdate:    v1alpha1.ConditionPublished,
}

// expectStepError expects a Stalled error with a reason that is documented for the condition of the
// step.
func expectStepError(g Gomega, step hydrate.Name, err error, reason string) {
	g.Expect(err).To(HaveOccurred())
	g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
	g.Expect(outcome.Reason(err, "")).To(Equal(reason), "%v", err)
	documented, failed := conformance.DocumentedReasons()
	g.Expect(failed).NotTo(HaveOccurred())
	g.Expect(documented[milestones[step]].Listed[metav1.ConditionFalse]).To(ContainElement(reason),
		"condition %s gives it as a reason for False", milestones[step])
}

func TestInputs(t *testing.T) {
	created := time.Unix(1_000_000, 0)
	base := func() hydrate.Request {
		return hydrate.Request{
			App: "web", Profile: olares.HelmProfile{},
			Offer:    hydrate.Offer{Version: "1.0.0", URL: "https://example.com/web.tgz", Digest: "sha256:aa", Created: created},
			Platform: map[string]any{"zone": "north"},
			Params:   map[string]any{"replicas": 1.0, "image": map[string]any{"tag": "1"}},
		}
	}
	same, other := func(a, b hydrate.Inputs) bool { return a == b }, func(a, b hydrate.Inputs) bool { return a != b }
	for _, c := range []struct {
		why    string
		change func(*hydrate.Request)
		is     func(a, b hydrate.Inputs) bool
	}{
		{"nothing", func(*hydrate.Request) {}, same},
		{"the same parameters in another order", func(r *hydrate.Request) {
			r.Params = map[string]any{"image": map[string]any{"tag": "1"}, "replicas": 1.0}
		}, same},
		{"who asks", func(r *hydrate.Request) { r.Owner.Source = "other" }, same},
		{"the address, where there is a digest", func(r *hydrate.Request) { r.Offer.URL = "https://example.net/web.tgz" }, same},
		{"the source's archive", func(r *hydrate.Request) { r.Offer.Digest = "sha256:bb" }, other},
		{"a parameter", func(r *hydrate.Request) { r.Params["replicas"] = 2.0 }, other},
		{"a parameter that removes", func(r *hydrate.Request) { r.Params["legacy"] = nil }, other},
		{"a platform value", func(r *hydrate.Request) { r.Platform["zone"] = "south" }, other},
		{"the profile", func(r *hydrate.Request) { r.Profile = olares.Profile{} }, other},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			changed := base()
			c.change(&changed)
			a, err := base().DigestInputs()
			g.Expect(err).NotTo(HaveOccurred())
			b, err := changed.DigestInputs()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(c.is(a, b)).To(BeTrue(), "%+v %+v", a, b)
			g.Expect(a.Revision).To(Equal(hydrate.Revision))
		})
	}
}

func TestInputsWithoutADigest(t *testing.T) {
	g := NewWithT(t)
	of := func(url string, created time.Time) string {
		inputs, err := hydrate.Request{Profile: olares.HelmProfile{}, Offer: hydrate.Offer{URL: url, Created: created}}.DigestInputs()
		g.Expect(err).NotTo(HaveOccurred())
		return inputs.Source
	}
	now := time.Unix(1_000_000, 0)
	g.Expect(of("a", now)).To(Equal(of("a", now.In(time.FixedZone("far", 3600)))), "the zone is no matter")
	g.Expect(of("a", now)).NotTo(Equal(of("b", now)))
	g.Expect(of("a", now)).NotTo(Equal(of("a", now.Add(time.Second))), "the source created it again")
	g.Expect(of("a", now)).To(HavePrefix("sha256:"))
}

func TestDraftGathersItsUnits(t *testing.T) {
	g := NewWithT(t)
	d := &hydrate.Draft{
		Files: newWebChart(nil),
		Units: []hydrate.Unit{
			{Documents: []objects.Document{{Path: "a"}, {Path: "b"}}, Objects: []objects.Object{{Kind: "A"}}},
			{Documents: []objects.Document{{Path: "c"}}, Objects: []objects.Object{{Kind: "C"}}},
		},
	}
	g.Expect(d.AllDocuments()).To(HaveExactElements(HaveField("Path", "a"), HaveField("Path", "b"), HaveField("Path", "c")))
	g.Expect(d.AllObjects()).To(HaveExactElements(HaveField("Kind", "A"), HaveField("Kind", "C")))
	text, ok := d.FindFile("values.yaml")
	g.Expect(ok).To(BeTrue())
	g.Expect(string(text)).To(Equal("greeting: hello # to all\n"))
	_, ok = d.FindFile("values.yml")
	g.Expect(ok).To(BeFalse())
}
