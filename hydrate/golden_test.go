package hydrate_test

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/objects"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/source"
)

var update = flag.Bool("update", false, "write what is published now into testdata/golden, as what should be")

// order is the file in/request.yaml of a case. It specifies the values and parameters for
// the chart.
type order struct {
	Profile  string         `json:"profile"`
	Platform map[string]any `json:"platform,omitempty"`
	Params   map[string]any `json:"params,omitempty"`
}

// result is the file want/result.yaml of a case. It describes what is published, except for
// the reports.
type result struct {
	// Archive is the digest of the published bytes. A different Go release may compress
	// differently; Files shows whether the content is the same.
	Archive    string            `json:"archive"`
	Chart      string            `json:"chart"`
	Files      map[string]string `json:"files"`
	Customized bool              `json:"customized"`
	// Clone is set only for apps that may be installed more than once.
	Clone    *hydrate.CloneSafety `json:"clone,omitempty"`
	Source   string               `json:"source"`
	Platform string               `json:"platform"`
	Params   string               `json:"params"`
	Revision int32                `json:"revision"`
	Units    []unitResult         `json:"units"`
}

type unitResult struct {
	Name    string           `json:"name"`
	Dir     string           `json:"dir,omitempty"`
	Objects []objects.Object `json:"objects"`
	Notes   string           `json:"notes,omitempty"`
}

// TestGolden runs the five steps on the charts of each case, from a folder to a store, and
// compares the result with the files in the folder want. To update these files, run go test
// ./hydrate -run TestGolden -update.
func TestGolden(t *testing.T) {
	inspector := newRegistries(t, "library/busybox:1.36", "web:1.2", "blog:2.1", "wall:2.0", "worker:7")
	cases, err := filepath.Glob("testdata/golden/*")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(cases).NotTo(BeEmpty())
	for _, dir := range cases {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			g := NewWithT(t)
			got := hydrateFolder(t, inspector, filepath.Join(dir, "in"))
			g.Expect(hydrateFolder(t, inspector, filepath.Join(dir, "in"))).To(Equal(got), "from scratch again, the same comes out")
			want := filepath.Join(dir, "want")
			if *update {
				g.Expect(writeTree(want, got)).To(Succeed())
			}
			g.Expect(readTree(t, want)).To(Equal(got))
		})
	}
}

// hydrateFolder returns the files that result from the chart in a folder.
func hydrateFolder(t *testing.T, inspector hydrate.Inspector, in string) map[string]string {
	t.Helper()
	g := NewWithT(t)
	text, err := os.ReadFile(filepath.Join(in, "request.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	var asked order
	g.Expect(yaml.UnmarshalStrict(text, &asked)).To(Succeed())
	profile, ok := map[string]hydrate.Profile{"Helm": olares.HelmProfile{}, "Olares": olares.Profile{}}[asked.Profile]
	g.Expect(ok).To(BeTrue(), "profile %q", asked.Profile)

	charts, app := findOffer(t, filepath.Join(in, "charts"))
	store := storeIn(t, t.TempDir())
	recorder := &reportRecorder{Store: store}
	d := &hydrate.Draft{Request: hydrate.Request{
		Owner: hydrate.Owner{Namespace: "market", Source: "golden"}, App: app.Name, Offer: app.Offers[0],
		Source: charts, Profile: profile, Platform: asked.Platform, Params: asked.Params,
	}}
	pipeline := hydrate.Pipeline{Steps: []hydrate.Step{
		hydrate.SourceChart{},
		hydrate.RenderedChart{Renderer: render.Engine{}, Reader: olares.Reader{}},
		hydrate.CustomParams{Renderer: render.Engine{}},
		hydrate.ImageAnalysis{Inspector: inspector},
		hydrate.RepoUpdate{Publisher: recorder},
	}}
	g.Expect(pipeline.Run(t.Context(), d)).To(Succeed())

	tree := maps.Clone(recorder.reports)
	tree["result.yaml"] = describeDraft(t, d, store)
	return tree
}

// findOffer opens a folder as a source, which must contain one app.
func findOffer(t *testing.T, dir string) (source.Source, hydrate.App) {
	t.Helper()
	g := NewWithT(t)
	path, err := filepath.Abs(dir)
	g.Expect(err).NotTo(HaveOccurred())
	charts, err := source.Open(source.Config{Directory: &source.DirectoryConfig{Path: path, AllowedRoots: []string{path}}})
	g.Expect(err).NotTo(HaveOccurred())
	listing, err := charts.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listing.Skipped).To(BeEmpty())
	g.Expect(listing.Apps).To(HaveLen(1))
	return charts, listing.Apps[0]
}

// describeDraft returns the result as YAML. It is read from the store where possible.
func describeDraft(t *testing.T, d *hydrate.Draft, store *chartrepo.Store) string {
	t.Helper()
	g := NewWithT(t)
	archive, err := store.Archive(d.Published.Digest)
	g.Expect(err).NotTo(HaveOccurred())
	files, err := chart.Unpack(archive)
	g.Expect(err).NotTo(HaveOccurred())
	inputs, err := d.Request.DigestInputs()
	g.Expect(err).NotTo(HaveOccurred())
	r := result{
		Archive: d.Published.Digest, Chart: d.Published.Chart, Files: map[string]string{}, Customized: d.Customized, Clone: d.Clone,
		Source: inputs.Source, Platform: inputs.Platform, Params: inputs.Params, Revision: inputs.Revision,
	}
	for _, f := range files {
		r.Files[f.Name] = chart.Digest(f.Data)
	}
	for _, u := range d.Units {
		r.Units = append(r.Units, unitResult{Name: u.Name, Dir: u.Dir, Objects: u.Objects, Notes: u.Notes})
	}
	text, err := yaml.Marshal(r)
	g.Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// reportRecorder keeps the reports that are published in the store.
type reportRecorder struct {
	*chartrepo.Store
	reports map[string]string
}

func (k *reportRecorder) Publish(ctx context.Context, p hydrate.PublishRequest) (hydrate.Published, error) {
	k.reports = map[string]string{}
	for name, text := range p.Reports {
		k.reports["reports/"+name] = string(text)
	}
	return k.Store.Publish(ctx, p)
}

// readTree returns the content of the files in a folder by their paths. The result is empty
// if the folder does not exist.
func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		tree[filepath.ToSlash(name)] = string(text)
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) {
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
	}
	return tree
}

// writeTree replaces the content of a folder with these files.
func writeTree(dir string, tree map[string]string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for name, text := range tree {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
