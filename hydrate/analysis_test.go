package hydrate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
)

// dead is a worker that always fails.
type dead struct{ hydrate.Worker }

var errDead = errors.New("the worker was killed")

func (dead) Analyze(context.Context, hydrate.Request, hydrate.ChartContent) (*hydrate.Draft, map[hydrate.Name]time.Duration, error) {
	return nil, nil, errDead
}

// TestAnalysisStandsForItsSteps shows that the result is the same whether the steps run in
// this process or in a worker.
func TestAnalysisStandsForItsSteps(t *testing.T) {
	inProcess := hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}}
	for _, c := range []struct {
		why    string
		worker hydrate.Worker
		file   string
		text   string
		lines  []string
		err    string
		reason string
	}{
		{"all goes well", inProcess, "values.yaml", "a: b\n",
			[]string{"SourceChart done: <nil>", "RenderedChart done: <nil>", "CustomParams done: <nil>"}, "", ""},
		{"a template that cannot be parsed", inProcess, "templates/a.yaml", "{{ nothing }}",
			[]string{"SourceChart done: <nil>", "RenderedChart done: chart web: templates/a.yaml:1: function \"nothing\" not defined"},
			"RenderedChart: chart web: templates/a.yaml:1: function \"nothing\" not defined", v1alpha1.ReasonRenderFailed},
		{"a worker that says nothing", dead{}, "values.yaml", "a: b\n",
			[]string{"SourceChart done: the worker was killed"}, "SourceChart: the worker was killed", ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			j := &journal{}
			d := &hydrate.Draft{Request: newRequest(newWebChart(map[string]string{c.file: c.text}))}
			p := hydrate.Pipeline{Observer: j, Steps: []hydrate.Step{hydrate.Analysis{Worker: c.worker, Observer: j}}}
			err := p.Run(t.Context(), d)
			g.Expect(j.lines).To(Equal(c.lines))
			if c.err == "" {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect([]any{d.Files, d.FileCount, d.Chart.Name}).To(Equal([]any{[]chart.File(nil), len(newWebChart(map[string]string{c.file: c.text})), "web"}))
				g.Expect(d.Archive).NotTo(BeEmpty())
				return
			}
			g.Expect(err).To(MatchError(c.err), "the step is named once")
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
		})
	}
}
