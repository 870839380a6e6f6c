package worker_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/worker"
)

func TestPoolPreparesAsThisProcessDoes(t *testing.T) {
	g := NewWithT(t)
	p := newPool(t, nil)
	c := testChart{
		files: map[string]string{
			"templates/web.yaml":  "kind: Service\napiVersion: v1\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\ntext: {{ .Values.int }} {{ .Values.big }} {{ .Values.float }} {{ .Values.nothing }} {{ toJson .Values | quote }}\n",
			"templates/NOTES.txt": "Hello.",
		},
		values: map[string]any{
			"int": 7, "big": int64(12345678), "float": 12345678.0, "nothing": nil,
			"list": []any{nil, "a", true}, "labels": map[string]any{"a": "b"},
		},
	}
	want, err := renderChart(t.Context(), t, inProcess, c)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(want.Services).To(Equal([]hydrate.Service{{Name: "web", Release: "blog", Ports: []int32{80}}}))
	g.Expect(want.Documents[0].Object).To(HavePrefix(`{"apiVersion":"v1","kind":"Service"`))
	for range 2 {
		got, err := renderChart(t.Context(), t, p, c)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(exportedJSON(got)).To(Equal(exportedJSON(want)))
	}
	g.Expect(c.values["nothing"]).To(BeNil(), "the caller's values stay as they are")

	_, err = renderChart(t.Context(), t, p, templateChart("{{ .Values.a.b.c }}"))
	g.Expect(err).To(MatchError("chart web: templates/a.yaml:1: nil pointer evaluating interface {}.b; give .Values.a.b.c"))
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRenderFailed))
}

// exportedJSON returns the exported fields of a value as JSON. An empty list is written as
// null.
func exportedJSON(value any) string {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		panic(err)
	}
	return strings.NewReplacer(": []", ": null", " [],", " null,").Replace(string(text))
}

// draftResults returns all results of an analysis.
func draftResults(d *hydrate.Draft) string {
	return exportedJSON([]any{
		d.Digest, d.FileCount, d.Chart, d.Manifest, d.License, d.Inputs, d.InputWarnings, d.Units, d.Customized, d.Clone, d.Images, d.Archive, d.Reports,
	})
}

// TestPoolAnalyzesAsThisProcessDoes compares drafts of apps that use all features.
func TestPoolAnalyzesAsThisProcessDoes(t *testing.T) {
	p := newPool(t, nil)
	for why, c := range map[string]testChart{
		"a plain chart":           withValue(1),
		"an app with a manifest":  {files: map[string]string{"OlaresManifest.yaml": "olaresManifest.version: 0.12.0\nmetadata: {name: web, title: Web}\nspec: {}\nenvs: [{envName: A, required: true}]\n", "templates/a.yaml": "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: web}]}\n"}},
		"a chart that needs more": templateChart("{{ required \"give me\" .Values.n }}"),
		"a null among what a dependency exports": {files: map[string]string{"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.2.3\ndependencies: [{name: db, version: 1.0.0, repository: '', import-values: [null]}]\n",
			"charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n"}},
		"no YAML": templateChart("a: b: c"),
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			request := c.newPreparation(t)
			request.Request.At, request.Request.Offer.Version = hydrate.InstallTarget{}, "1.2.3"
			payload := hydrate.ChartContent{Archive: request.Archive}
			want, _, wantErr := inProcess.Analyze(t.Context(), request.Request, payload)
			got, took, err := p.Analyze(t.Context(), request.Request, payload)
			if wantErr != nil {
				g.Expect(err).To(MatchError(wantErr.Error()))
				g.Expect(hydrate.FailedStep(err, "")).To(Equal(hydrate.FailedStep(wantErr, "none")))
				g.Expect(outcome.Reason(err, "")).To(Equal(outcome.Reason(wantErr, "none")))
			} else {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(took).To(HaveLen(5))
			}
			g.Expect(draftResults(got)).To(Equal(draftResults(want)))
		})
	}
}

func TestPoolRendersSideBySide(t *testing.T) {
	g := NewWithT(t)
	p := newPool(t, func(p *worker.Pool) { p.Workers = 3 })
	var all sync.WaitGroup
	texts := make([]string, 20)
	for i := range texts {
		all.Go(func() {
			out, err := renderChart(t.Context(), t, p, withValue(i))
			if err != nil {
				texts[i] = err.Error()
				return
			}
			texts[i] = out.Documents[0].Text
		})
	}
	all.Wait()
	for i, text := range texts {
		g.Expect(text).To(Equal(fmt.Sprintf("kind: ConfigMap\nn: %d", i)))
	}
	g.Expect(len(workerPIDs(t))).To(BeNumerically("<=", 3))
}

func TestPoolSaysWhatIsWrongWithItself(t *testing.T) {
	cases := []struct {
		why     string
		command []string
	}{
		{why: "no command", command: nil},
		{why: "a command that is not there", command: []string{"/nowhere/operator"}},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			p := &worker.Pool{Command: c.command}
			defer p.Close()
			_, err := renderChart(t.Context(), t, p, withValue(1))
			g.Expect(err).To(MatchError(ContainSubstring("start worker")))
			g.Expect(outcome.IsStalled(err)).To(BeFalse(), "no chart is to blame")
		})
	}
}

// TestPoolSaysHowFarAChartCame kills workers during an analysis.
func TestPoolSaysHowFarAChartCame(t *testing.T) {
	onLinux(t)
	const endless = `{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`
	for _, c := range []struct {
		step     hydrate.Name
		template string
		files    int
	}{
		{hydrate.StepRenderedChart, endless, 2},
		{hydrate.StepCustomParams, `{{ if eq .Release.Name "twin" }}` + endless + `{{ end }}`, 2},
	} {
		t.Run(string(c.step), func(t *testing.T) {
			g := NewWithT(t)
			p := newPool(t, func(p *worker.Pool) { p.Workers, p.Time = 1, time.Second })
			request := templateChart(c.template).newPreparation(t)
			request.Request.At, request.Request.Offer.Version = hydrate.InstallTarget{}, "1.2.3"
			d, _, err := p.Analyze(t.Context(), request.Request, hydrate.ChartContent{Archive: request.Archive})
			g.Expect(err).To(MatchError(ContainSubstring("exceeded the CPU time limit of 1s")))
			g.Expect(hydrate.FailedStep(err, "")).To(Equal(c.step))
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded))
			g.Expect(d.FileCount).To(Equal(c.files))
		})
	}
}
