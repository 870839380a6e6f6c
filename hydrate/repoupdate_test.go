package hydrate_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/test/conformance"
)

// storeIn opens a chart store in a folder.
func storeIn(t *testing.T, dir string) *chartrepo.Store {
	t.Helper()
	store, err := chartrepo.Open(dir, chartrepo.Options{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { NewWithT(t).Expect(store.Close()).To(Succeed()) })
	return store
}

func TestRepoUpdate(t *testing.T) {
	g := NewWithT(t)
	store := storeIn(t, t.TempDir())
	step := hydrate.RepoUpdate{Publisher: store}
	d := applyCustomParams(t, nil, newWebChart(map[string]string{"README.md": "# Web\n"}))
	g.Expect(step.Apply(t.Context(), d)).To(Succeed())

	archive, err := store.Archive(d.Published.Digest)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(chart.Digest(archive)).To(Equal(d.Published.Digest))
	files, err := chart.Unpack(archive)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).To(Equal(d.Files))
	g.Expect(store.Has(d.Request.Owner, "web", "1.0.0", d.Published.Digest)).To(BeTrue())
	g.Expect(d.Published.Chart).To(Equal("market/main/charts/web-1.0.0.tgz"))

	again := *d
	g.Expect(step.Apply(t.Context(), &again)).To(Succeed())
	g.Expect(again.Published).To(Equal(d.Published), "publishing the same again changes nothing")
	g.Expect(store.Entries()).To(HaveLen(1))
}

// publisher records the publication that it receives.
type publisher struct {
	got hydrate.PublishRequest
	err error
}

func (p *publisher) Publish(_ context.Context, got hydrate.PublishRequest) (hydrate.Published, error) {
	p.got = got
	return hydrate.Published{Digest: got.Digest}, p.err
}

func TestRepoUpdateHandsOver(t *testing.T) {
	g := NewWithT(t)
	p := &publisher{}
	d := applyCustomParams(t, nil, newWebChart(nil))
	g.Expect(hydrate.RepoUpdate{Publisher: p}.Apply(t.Context(), d)).To(Succeed())
	g.Expect(p.got.Owner).To(Equal(hydrate.Owner{Namespace: "market", Source: "main"}))
	g.Expect(p.got.App).To(Equal("web"))
	g.Expect(p.got.Version).To(Equal("1.0.0"))
	g.Expect(p.got.Digest).To(Equal(chart.Digest(p.got.Archive)))
	g.Expect(p.got.Chart).To(MatchJSON(`{"apiVersion": "v2", "name": "web", "version": "1.0.0"}`))
	g.Expect(p.got.Reports).To(And(HaveKey("objects.yaml"), HaveKey("images.json"), HaveKey("app.json"), HaveKey("values.yaml"), HaveKey("layers.json")))
	var images any
	g.Expect(json.Unmarshal(p.got.Reports["images.json"], &images)).To(Succeed())
}

func TestRepoUpdatePassesThePublishersErrors(t *testing.T) {
	full := errors.New("no space left")
	for _, err := range []error{full, outcome.Failed(v1alpha1.ReasonStorageFull, full), outcome.Stalled(v1alpha1.ReasonLimitExceeded, full)} {
		g := NewWithT(t)
		d := applyCustomParams(t, nil, newWebChart(nil))
		got := hydrate.RepoUpdate{Publisher: &publisher{err: err}}.Apply(t.Context(), d)
		g.Expect(got).To(MatchError(full))
		g.Expect(outcome.Reason(got, "")).To(Equal(outcome.Reason(err, "")))
		g.Expect(outcome.IsStalled(got)).To(Equal(outcome.IsStalled(err)))
		g.Expect(d.Published).To(BeZero(), "the draft is as it was")
	}
}

// TestRepoUpdateOverABrokenDisk removes the folder of the store.
func TestRepoUpdateOverABrokenDisk(t *testing.T) {
	g := NewWithT(t)
	dir := filepath.Join(t.TempDir(), "store")
	g.Expect(os.Mkdir(dir, 0o755)).To(Succeed())
	step := hydrate.RepoUpdate{Publisher: storeIn(t, dir)}
	g.Expect(os.RemoveAll(dir)).To(Succeed())
	d := applyCustomParams(t, nil, newWebChart(nil))
	err := step.Apply(t.Context(), d)
	g.Expect(err).To(HaveOccurred())
	g.Expect(outcome.IsStalled(err)).To(BeFalse(), "a disk may come back")
	documented, failed := conformance.DocumentedReasons()
	g.Expect(failed).NotTo(HaveOccurred())
	g.Expect(documented[v1alpha1.ConditionPublished].Listed["False"]).To(ContainElement(outcome.Reason(err, "")))
	g.Expect(d.Published).To(BeZero())
}

// TestRepoUpdateOverATakenName publishes an app whose archive would have the same name as
// the archive of another app.
func TestRepoUpdateOverATakenName(t *testing.T) {
	g := NewWithT(t)
	step := hydrate.RepoUpdate{Publisher: storeIn(t, t.TempDir())}
	first := applyCustomParams(t, nil, newWebChart(map[string]string{"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"}))
	first.Request.App, first.Chart.Name, first.Chart.Version = "web", "web", "1.0.0-1.0.0"
	g.Expect(step.Apply(t.Context(), first)).To(Succeed())
	second := applyCustomParams(t, nil, newWebChart(nil))
	second.Request.App, second.Chart.Name, second.Chart.Version = "web-1.0.0", "web-1.0.0", "1.0.0"
	expectStepError(g, hydrate.StepRepoUpdate, step.Apply(t.Context(), second), v1alpha1.ReasonInvalidChart)
}

// TestRepoUpdateOfRandomCharts hydrates a chart that renders random text. The published
// chart does not depend on the rendered text.
func TestRepoUpdateOfRandomCharts(t *testing.T) {
	g := NewWithT(t)
	files := newWebChart(map[string]string{"templates/page.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: {{ randAlphaNum 40 }}}\n"})
	var digests, texts []string
	for range 2 {
		d := applyCustomParams(t, nil, files)
		g.Expect(hydrate.RepoUpdate{Publisher: storeIn(t, t.TempDir())}.Apply(t.Context(), d)).To(Succeed())
		digests = append(digests, d.Published.Digest)
		texts = append(texts, d.Units[0].Documents[0].Text)
	}
	g.Expect(texts[0]).NotTo(Equal(texts[1]))
	g.Expect(digests[0]).To(Equal(digests[1]))
}
