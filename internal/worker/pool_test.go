package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/worker"
)

func newPool(t testing.TB, change func(*worker.Pool)) *worker.Pool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &worker.Pool{Command: []string{self, workerArgument}, Time: time.Minute, Idle: time.Minute}
	if change != nil {
		change(p)
	}
	t.Cleanup(p.Close)
	return p
}

// testChart is a chart and the values with which it is installed.
type testChart struct {
	files  map[string]string
	values map[string]any
	lookup hydrate.Lookup
}

// newPreparation returns the Preparation of a chart.
func (c testChart) newPreparation(t testing.TB) hydrate.Preparation {
	t.Helper()
	var files []chart.File
	if _, given := c.files["Chart.yaml"]; !given {
		files = append(files, chart.File{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.2.3\n")})
	}
	for name, text := range c.files {
		files = append(files, chart.File{Name: name, Data: []byte(text)})
	}
	archive, err := chart.Pack("web", files)
	if err != nil {
		t.Fatal(err)
	}
	return hydrate.Preparation{Archive: archive, Request: hydrate.Request{
		App: "web", Profile: olares.HelmProfile{}, Platform: c.values, Lookup: c.lookup,
		At: hydrate.InstallTarget{Namespace: "anna", Instance: "blog"},
	}}
}

// renderChart returns the rendered unit of a chart.
func renderChart(ctx context.Context, t testing.TB, with hydrate.Worker, c testChart) (hydrate.Unit, error) {
	t.Helper()
	prepared, err := with.Prepare(ctx, c.newPreparation(t))
	if err != nil {
		return hydrate.Unit{}, err
	}
	return prepared.Draft.Units[0], nil
}

// inProcess renders without a worker process.
var inProcess = hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}}

func withValue(n any) testChart {
	return testChart{
		files:  map[string]string{"templates/web.yaml": "kind: ConfigMap\nn: {{ .Values.n }}\n"},
		values: map[string]any{"n": n},
	}
}

func templateChart(text string) testChart {
	return testChart{files: map[string]string{"templates/a.yaml": text}}
}

// workerPIDs returns the process IDs of the worker processes of this process.
func workerPIDs(t testing.TB) []int {
	t.Helper()
	onLinux(t)
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, file := range tasks {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // The thread has ended.
		}
		for _, field := range strings.Fields(string(text)) {
			command, err := os.ReadFile("/proc/" + field + "/cmdline")
			if err != nil || !strings.Contains(string(command), workerArgument) {
				continue
			}
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

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

// onLinux skips tests of features that only Linux has: /proc and memory limits.
func onLinux(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("left out: this needs Linux")
	}
}

func TestPoolBoundsAChart(t *testing.T) {
	onLinux(t)
	cases := []struct {
		why      string
		template string
		time     time.Duration
		want     string
	}{{
		why:      "a template that never ends",
		template: `{{ range until 100000 }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}{{ end }}`,
		time:     time.Second,
		want:     "exceeded the CPU time limit of 1s",
	}, {
		why:      "a list that does not fit",
		template: `{{ range until 1000000000 }}{{ end }}`,
		want:     "exceeded the memory limit of 256 MiB",
	}, {
		why:      "a text that does not fit",
		template: `{{ $x := repeat 100000000 "0123456789" }}`,
		want:     "exceeded the memory limit of 256 MiB",
	}, {
		why:      "gigabytes of output",
		template: `{{ $x := repeat 1000 "0123456789" }}{{ range until 1000000 }}{{ $x }}{{ end }}`,
		want:     "exceeded the memory limit of 256 MiB",
	}, {
		why:      "a template that grows what it keeps",
		template: `{{ $x := "x" }}{{ range until 64 }}{{ $x = print $x $x }}{{ end }}`,
		want:     "exceeded the memory limit of 256 MiB",
	}, {
		why:      "more output than is allowed",
		template: `a: {{ repeat 17000000 "x" }}`,
		want:     "17000003 bytes of output",
	}}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			p := newPool(t, func(p *worker.Pool) {
				p.Workers, p.Memory = 1, 256<<20
				if c.time > 0 {
					p.Time = c.time
				}
			})
			_, err := renderChart(t.Context(), t, p, templateChart(c.template))
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded))

			out, err := renderChart(t.Context(), t, p, withValue(1))
			g.Expect(err).NotTo(HaveOccurred(), "the next chart is rendered all the same")
			g.Expect(out.Documents[0].Text).To(Equal("kind: ConfigMap\nn: 1"))
		})
	}
}

// TestPoolBlamesTheMachine covers errors that the chart does not cause. They are not
// Stalled.
func TestPoolBlamesTheMachine(t *testing.T) {
	onLinux(t)
	const endless = `{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`
	t.Run("a deadline that passes while the chart still has processor time", func(t *testing.T) {
		g := NewWithT(t)
		p := newPool(t, func(p *worker.Pool) { p.Deadline = 100 * time.Millisecond })
		_, err := renderChart(t.Context(), t, p, templateChart(endless))
		g.Expect(err).To(MatchError("render chart: not completed within 100ms because the node is overloaded; the operator retries"))
		g.Expect(outcome.IsStalled(err)).To(BeFalse())
		g.Expect(outcome.Reason(err, "")).To(BeEmpty())
	})
	t.Run("a worker that gets no processor time at all", func(t *testing.T) {
		g := NewWithT(t)
		p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
		g.Expect(renderChart(t.Context(), t, p, withValue(1))).NotTo(BeZero())
		g.Expect(syscall.Kill(workerPIDs(t)[0], syscall.SIGSTOP)).To(Succeed())
		p.Time, p.Deadline = 300*time.Millisecond, time.Second
		_, err := renderChart(t.Context(), t, p, withValue(2))
		g.Expect(err).To(MatchError(ContainSubstring("not completed within 1s")))
		g.Expect(outcome.IsStalled(err)).To(BeFalse(), "though its time by the clock is up many times")
	})
	t.Run("workers that are killed", func(t *testing.T) {
		g := NewWithT(t)
		p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
		done := make(chan error, 1)
		go func() {
			_, err := renderChart(t.Context(), t, p, templateChart(endless))
			done <- err
		}()
		killed := map[int]bool{}
		g.Eventually(func() int {
			for _, pid := range workerPIDs(t) {
				if !killed[pid] {
					killed[pid] = syscall.Kill(pid, syscall.SIGKILL) == nil
				}
			}
			return len(done)
		}, "20s", "50ms").Should(Equal(1))
		err := <-done
		g.Expect(err).To(MatchError(ContainSubstring("the worker process was killed")))
		g.Expect(outcome.IsStalled(err)).To(BeFalse())
	})
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

func TestPoolReplacesAWorkerThatWasKilled(t *testing.T) {
	t.Run("while idle", func(t *testing.T) {
		g := NewWithT(t)
		p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
		g.Expect(renderChart(t.Context(), t, p, withValue(1))).NotTo(BeZero())
		pids := workerPIDs(t)
		g.Expect(pids).To(HaveLen(1))
		g.Expect(syscall.Kill(pids[0], syscall.SIGKILL)).To(Succeed())
		out, err := renderChart(t.Context(), t, p, withValue(2))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(out.Documents).To(HaveLen(1))
	})
	t.Run("at work, by another process", func(t *testing.T) {
		g := NewWithT(t)
		p := newPool(t, func(p *worker.Pool) { p.Workers, p.Time = 1, 2*time.Second })
		done := make(chan error, 1)
		go func() {
			_, err := renderChart(t.Context(), t, p, templateChart(`{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`))
			done <- err
		}()
		var first int
		g.Eventually(func() []int { return workerPIDs(t) }).Should(ContainElement(BeNumerically(">", 0), &[]int{}))
		first = workerPIDs(t)[0]
		g.Expect(syscall.Kill(first, syscall.SIGKILL)).To(Succeed())
		g.Eventually(func() []int { return workerPIDs(t) }).Should(And(HaveLen(1), Not(ContainElement(first))),
			"it is tried once more, since the chart may not be to blame")
		g.Eventually(done, "20s").Should(Receive(MatchError(ContainSubstring("exceeded the CPU time limit of 2s"))))
	})
}

func TestPoolEndsWithItsCaller(t *testing.T) {
	g := NewWithT(t)
	p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := renderChart(ctx, t, p, templateChart(`{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`))
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(outcome.IsStalled(err)).To(BeFalse(), "the chart is not to blame")
	g.Expect(workerPIDs(t)).To(BeEmpty(), "the worker was killed")
}

func TestPoolKeepsNoWorkerForLong(t *testing.T) {
	g := NewWithT(t)
	p := newPool(t, func(p *worker.Pool) { p.Idle = 50 * time.Millisecond })
	g.Expect(renderChart(t.Context(), t, p, withValue(1))).NotTo(BeZero())
	g.Eventually(func() []int { return workerPIDs(t) }, "5s").Should(BeEmpty())
	g.Expect(renderChart(t.Context(), t, p, withValue(1))).NotTo(BeZero(), "another is started when needed")

	p.Close()
	g.Expect(workerPIDs(t)).To(BeEmpty())
	_, err := renderChart(t.Context(), t, p, withValue(1))
	g.Expect(err).To(HaveOccurred())
	g.Expect(outcome.IsStalled(err)).To(BeFalse())
}

func TestPoolGivesAWorkerNothing(t *testing.T) {
	g := NewWithT(t)
	t.Setenv("MARKET_SECRET", "hidden")
	secret := filepath.Join(t.TempDir(), "secret")
	open, err := os.Create(secret)
	g.Expect(err).NotTo(HaveOccurred())
	defer open.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
	g.Expect(renderChart(t.Context(), t, p, withValue(1))).NotTo(BeZero())
	pid := workerPIDs(t)[0]
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(environ).To(BeEmpty())
	descriptors, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	g.Expect(err).NotTo(HaveOccurred())
	for _, one := range descriptors {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, one.Name()))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(target).NotTo(Or(Equal(secret), HavePrefix("socket:")), "descriptor "+one.Name())
	}
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
