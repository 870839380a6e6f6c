package plain_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"reflect"
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
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/releaseutil"
	"k8s.io/client-go/kubernetes/scheme"

	sigsyaml "sigs.k8s.io/yaml"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
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
		return "published, and rendered by helm", want.compare(documents)
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

// helmOutput is the result of Helm for a chart: the objects of each template. The chart is rendered
// twice, because many charts render random secrets.
type helmOutput struct {
	first, second map[string][]any
	library       bool
	err           error
}

func helmTemplate(archive []byte) helmOutput {
	var out helmOutput
	if out.first, out.library, out.err = renderOnce(archive); out.err == nil {
		out.second, _, out.err = renderOnce(archive)
	}
	return out
}

// renderOnce renders a chart like `helm template --include-crds`, with the Kubernetes version and
// the kinds that hydration uses.
func renderOnce(archive []byte) (objects map[string][]any, library bool, err error) {
	loaded, err := loader.LoadArchive(strings.NewReader(string(archive)))
	if err != nil {
		return nil, false, err
	}
	name := loaded.Name()
	library = loaded.Metadata.Type == "library"
	if err := action.CheckDependencies(loaded, loaded.Metadata.Dependencies); err != nil {
		return nil, library, err
	}
	if library {
		return nil, true, errors.New("library charts are not installable")
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.DryRun, install.ClientOnly, install.Replace = true, true, true
	install.ReleaseName, install.Namespace = name, hydrate.RenderNamespace
	install.APIVersions = knownKinds()
	if install.KubeVersion, err = chartutil.ParseKubeVersion(render.DefaultKubeVersion); err != nil {
		return nil, false, err
	}
	// The Kubernetes version is checked when the chart is installed.
	loaded.Metadata.KubeVersion = ""
	crds := loaded.CRDObjects()
	made, err := install.Run(loaded, map[string]any{})
	if err != nil {
		return nil, false, err
	}
	objects = map[string][]any{}
	for _, crd := range crds {
		for _, text := range splitText(string(crd.File.Data)) {
			addObject(objects, crd.Filename, text)
		}
	}
	for _, text := range splitText(made.Manifest) {
		path, _, _ := strings.Cut(strings.TrimPrefix(text[strings.Index(text, "# Source: "):], "# Source: "), "\n")
		addObject(objects, path, text)
	}
	for _, hook := range made.Hooks {
		addObject(objects, hook.Path, hook.Manifest)
	}
	return objects, false, nil
}

// knownKinds returns the kinds of a cluster in the format of .Capabilities.
var knownKinds = sync.OnceValue(func() chartutil.VersionSet {
	var all []string
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if gvk.Version != "__internal" {
			all = append(all, gvk.GroupVersion().String()+"/"+gvk.Kind)
		}
	}
	slices.Sort(all)
	return all
})

// splitText splits a text into its documents, in their order.
func splitText(text string) []string {
	byKey := releaseutil.SplitManifests(text)
	keys := slices.Collect(maps.Keys(byKey))
	slices.SortFunc(keys, func(a, b string) int {
		var x, y int
		_, _ = fmt.Sscanf(a, "manifest-%d", &x)
		_, _ = fmt.Sscanf(b, "manifest-%d", &y)
		return x - y
	})
	var all []string
	for _, key := range keys {
		all = append(all, byKey[key])
	}
	return all
}

// addObject adds the object in a document to the objects of its template.
func addObject(objects map[string][]any, path, text string) {
	var object any
	if err := sigsyaml.Unmarshal([]byte(text), &object); err != nil {
		object = text
	}
	if object != nil {
		objects[path] = append(objects[path], object)
	}
}

// compare returns the differences from the objects that Helm renders, or "" if there are none.
func (w helmOutput) compare(documents []objects.Document) string {
	got := map[string][]any{}
	for _, doc := range documents {
		addObject(got, doc.Path, doc.Text)
	}
	paths := maps.Clone(w.first)
	maps.Copy(paths, got)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if len(got[path]) != len(w.first[path]) {
			return fmt.Sprintf("%s: %d objects instead of %d", path, len(got[path]), len(w.first[path]))
		}
		for i := range got[path] {
			var again any
			if i < len(w.second[path]) {
				again = w.second[path][i]
			}
			if where := differ(got[path][i], w.first[path][i], again); where != "" {
				return fmt.Sprintf("%s: object %d%s", path, i, where)
			}
		}
	}
	return ""
}

// differ returns where a value differs from the one that Helm renders, except where the two
// renderings of Helm differ.
func differ(got, want, again any) string {
	if reflect.DeepEqual(got, want) {
		return ""
	}
	if a, ok := want.(map[string]any); ok {
		if b, ok := got.(map[string]any); ok && slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
			c, _ := again.(map[string]any)
			for _, key := range slices.Sorted(maps.Keys(a)) {
				if where := differ(b[key], a[key], c[key]); where != "" {
					return "." + key + where
				}
			}
			return ""
		}
	}
	if a, ok := want.([]any); ok {
		b, _ := got.([]any)
		c, _ := again.([]any)
		if len(a) == len(b) && len(a) == len(c) {
			for i := range a {
				if where := differ(b[i], a[i], c[i]); where != "" {
					return fmt.Sprintf("[%d]%s", i, where)
				}
			}
			return ""
		}
	}
	if !reflect.DeepEqual(want, again) {
		return ""
	}
	return fmt.Sprintf(": %.80v instead of %.80v", got, want)
}
