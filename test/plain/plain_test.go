package plain_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/objects"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/worker"
)

// plainWorker is the argument that makes the test executable a render worker.
const plainWorker = "render-worker"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == plainWorker {
		if err := worker.Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// plainCharts returns the archives of the Helm repositories below MARKET_PLAIN. Defaults to the
// folder shared/plain next to the checkout.
func plainCharts(t *testing.T) []string {
	t.Helper()
	root := os.Getenv("MARKET_PLAIN")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "plain")
	}
	var charts []string
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".tgz") {
			charts = append(charts, path)
		}
		return err
	})
	if errors.Is(err, os.ErrNotExist) || err == nil && len(charts) == 0 {
		t.Skipf("skipped: there are no charts in %s; set MARKET_PLAIN to a folder of Helm repositories", root)
	}
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return charts
}

// TestPlainCharts compares hydration with `helm template` for real charts. A chart is published if
// Helm renders it, with the same objects, or if it needs values, and otherwise it is rejected. The
// load of the machine does not change the result.
func TestPlainCharts(t *testing.T) {
	charts := plainCharts(t)
	log.SetOutput(io.Discard) // Helm prints warnings about charts.
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	self, err := os.Executable()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	pool := &worker.Pool{Command: []string{self, plainWorker}, Workers: 2}
	t.Cleanup(pool.Close)

	var mu sync.Mutex
	found, differences := map[string][]string{}, []string{}
	var took [2]time.Duration
	var group errgroup.Group
	group.SetLimit(2)
	for _, path := range charts {
		group.Go(func() error {
			archive, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			began := time.Now()
			want := helmTemplate(archive)
			between := time.Now()
			verdict, difference := comparePlain(t, pool, archive, want)
			mu.Lock()
			defer mu.Unlock()
			took[0] += between.Sub(began)
			took[1] += time.Since(between)
			found[verdict] = append(found[verdict], strings.TrimSuffix(filepath.Base(path), ".tgz"))
			if difference != "" {
				differences = append(differences, filepath.Base(path)+": "+difference)
			}
			return nil
		})
	}
	NewWithT(t).Expect(group.Wait()).To(Succeed())
	for _, verdict := range slices.Sorted(maps.Keys(found)) {
		slices.Sort(found[verdict])
		t.Logf("%4d %s: %.300s", len(found[verdict]), verdict, strings.Join(found[verdict], ", "))
	}
	t.Logf("helm template twice took %s, hydration once %s, two charts at a time", took[0].Round(time.Millisecond), took[1].Round(time.Millisecond))
	slices.Sort(differences)
	NewWithT(t).Expect(differences).To(BeEmpty())
}

// needsValues matches the errors of Helm for a chart that may render with other values.
var needsValues = regexp.MustCompile(`execution error|: executing "|values don't meet the specifications`)

// brokenChart matches the errors of Helm for a template that fails with any values.
var brokenChart = regexp.MustCompile(`^parse error|no template "|nested reference name`)

// comparePlain runs the hydration steps that decide whether a chart is published, and compares the
// result with Helm's.
func comparePlain(t *testing.T, with hydrate.Worker, archive []byte, want helmOutput) (verdict, difference string) {
	d, documents, err := hydratePlain(t, with, archive)
	switch {
	case err != nil && !outcome.IsStalled(err):
		return "not hydrated", err.Error()
	case want.err == nil && err != nil:
		return "rejected, and rendered by helm", err.Error()
	case want.err == nil && d.UnrenderedReason() != "":
		return "published without objects, and rendered by helm", d.UnrenderedReason()
	case want.err == nil:
		return "published, and rendered by helm", want.compareObjects(documents)
	case want.library && err == nil:
		return "library, published", ""
	case needsValues.MatchString(want.err.Error()) && !brokenChart.MatchString(want.err.Error()):
		if err != nil {
			return "rejected, and needs values", err.Error()
		}
		if len(d.ListWarnings()) == 0 {
			return "published, and needs values", "there is no warning: helm says " + want.err.Error()
		}
		return "published, and needs values", ""
	case err == nil:
		return "published, and rejected by helm", want.err.Error()
	}
	return "rejected, and rejected by helm", ""
}

// hydratePlain runs the hydration steps that need no registry and no store, and renders the chart
// to be published for an installation.
func hydratePlain(t *testing.T, with hydrate.Worker, archive []byte) (*hydrate.Draft, []objects.Document, error) {
	none := &hydrate.Draft{}
	files, err := chart.Unpack(archive)
	if err != nil {
		return none, nil, err
	}
	meta, err := chart.ReadMetadata(files)
	if err != nil {
		return none, nil, err
	}
	request := hydrate.Request{App: meta.Name, Profile: olares.HelmProfile{}, Offer: hydrate.Offer{Version: meta.Version}}
	d, _, err := with.Analyze(t.Context(), request, hydrate.ChartContent{Archive: archive})
	if err != nil {
		return none, nil, err
	}
	if d.UnrenderedReason() != "" || meta.Type == "library" || d.Units[0].Violation != "" {
		return d, nil, nil
	}
	request.At = hydrate.InstallTarget{Namespace: hydrate.RenderNamespace, Instance: meta.Name}
	prepared, err := with.Prepare(t.Context(), hydrate.Preparation{Request: request, Archive: d.Archive, Given: hydrate.GivenInputs{}})
	if err != nil {
		return d, nil, err
	}
	return d, prepared.Draft.AllDocuments(), nil
}
