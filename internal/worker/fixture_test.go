package worker_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
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

// onLinux skips tests of features that only Linux has: /proc and memory limits.
func onLinux(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("left out: this needs Linux")
	}
}
