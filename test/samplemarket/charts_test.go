package samplemarket_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/appmarket/operator/internal/inputs"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/registry"
	"github.com/appmarket/operator/test/samplemarket"
)

// hydrateChart runs all hydration steps except the last one for a chart of the sample market. The
// images are requested from the registry of the market.
func hydrateChart(t *testing.T, app, version string) (*hydrate.Draft, error) {
	t.Helper()
	_, server := startMarket(t)
	_, body := getPath(t, http.MethodGet, server.URL+"/index.yaml")
	var listed index
	if err := yaml.Unmarshal(body, &listed); err != nil {
		t.Fatal(err)
	}
	offer := hydrate.Offer{Version: version}
	for _, each := range listed.Entries[app] {
		if each.Version == version {
			offer.URL, offer.Digest = server.URL+"/"+each.URLs[0], "sha256:"+each.Digest
		}
	}
	client, err := registry.New(registry.Options{Mirrors: map[string]string{samplemarket.Registry: server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	pipeline := hydrate.Pipeline{Steps: []hydrate.Step{
		hydrate.SourceChart{},
		hydrate.RenderedChart{Renderer: render.Engine{}, Reader: olares.Reader{}},
		hydrate.CustomParams{Renderer: render.Engine{}},
		hydrate.ImageAnalysis{Inspector: client},
	}}
	draft := &hydrate.Draft{Request: hydrate.Request{
		App: app, Offer: offer, Profile: olares.Profile{}, Params: map[string]any{"note": "from the market"},
		Source: download(func(url string) []byte {
			_, archive := getPath(t, http.MethodGet, url)
			return archive
		}),
	}}
	return draft, pipeline.Run(t.Context(), draft)
}

type download func(url string) []byte

func (d download) Fetch(_ context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	return hydrate.ChartContent{Archive: d(offer.URL)}, nil
}

func TestEverySampleHydrates(t *testing.T) {
	const (
		both = "amd64 arm64"
		one  = "amd64"
	)
	cases := []struct {
		app, version string
		shows        string
		images       map[string]string
		check        func(g *WithT, d *hydrate.Draft)
	}{
		{
			"hello", "1.0.0", "a plain chart", map[string]string{"hello:1.0": both},
			func(g *WithT, d *hydrate.Draft) { g.Expect(d.Manifest).To(BeNil()) },
		},
		{"hello", "1.1.0", "a newer version", map[string]string{"hello:1.1": both}, nil},
		{"hello", "1.2.0-rc.1", "a pre-release", map[string]string{"hello:1.2-rc": both}, nil},
		{
			"notes", "1.4.2", "a schema", map[string]string{"notes:1.4": both},
			func(g *WithT, d *hydrate.Draft) {
				_, ok := d.FindFile("values.schema.json")
				g.Expect(ok).To(BeTrue())
			},
		},
		{
			"wiki", "2.0.1", "required inputs", map[string]string{"wiki:2.0": both, "wiki-tools:2.0": both},
			func(g *WithT, d *hydrate.Draft) {
				_, problems := inputs.CheckInputs(d.Manifest.Inputs, nil, nil)
				g.Expect(problems).To(HaveLen(5), "all that the task has to list")
				_, problems = inputs.CheckInputs(d.Manifest.Inputs, map[string]string{"WIKI_HOME": "admin"}, nil)
				g.Expect(problems).To(ContainElement(HaveField("Problem", ContainSubstring("pattern"))), "the look-ahead counts")
			},
		},
		{
			"blog", "0.9.0", "a dependency, a hook", map[string]string{"blog:0.9": both, "probe:1.0": both},
			func(g *WithT, d *hydrate.Draft) {
				g.Expect(d.Manifest.Needs).To(ContainElement(hydrate.Dependency{
					Name: "notes", Type: "application", Version: ">=1.4.0", Mandatory: true,
				}))
			},
		},
		{
			"board", "1.0.3", "an app that may be cloned", map[string]string{"board:1.0": both},
			func(g *WithT, d *hydrate.Draft) {
				g.Expect(d.Manifest.Cloneable).To(BeTrue())
				g.Expect(d.Manifest.Entrances).To(HaveLen(3))
			},
		},
		{
			"clock", "3.1.0", "a templated manifest, one platform", map[string]string{"clock:3.1": one},
			func(g *WithT, d *hydrate.Draft) {
				g.Expect(d.Manifest.Entrances).To(HaveLen(2), "rendered for an administrator")
			},
		},
		{
			"team", "1.2.0", "two releases", map[string]string{"team-server:1.2": both, "team-client:1.2": both},
			func(g *WithT, d *hydrate.Draft) { g.Expect(d.Units).To(HaveLen(2)) },
		},
	}
	for _, c := range cases {
		t.Run(c.app+" "+c.version+": "+c.shows, func(t *testing.T) {
			g := NewWithT(t)

			draft, err := hydrateChart(t, c.app, c.version)

			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(platformsOf(draft)).To(Equal(c.images))
			if draft.Manifest != nil {
				g.Expect(draft.Manifest.Warnings).To(BeEmpty())
			}
			if c.check != nil {
				c.check(g, draft)
			}
		})
	}
}

func platformsOf(d *hydrate.Draft) map[string]string {
	images := map[string]string{}
	for _, image := range d.Images {
		text := image.Problem
		if image.Detail != nil {
			for _, platform := range image.Detail.Platforms {
				text += " " + platform.Architecture
			}
			text = text[1:]
		}
		images[image.Reference[len(samplemarket.Registry)+1:]] = text
	}
	return images
}

func TestBrokenSampleSaysWhereItIsBroken(t *testing.T) {
	g := NewWithT(t)

	_, err := hydrateChart(t, "broken", "0.1.0")

	g.Expect(hydrate.FailedStep(err, "")).To(Equal(hydrate.StepRenderedChart))
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRenderFailed))
	g.Expect(err).To(MatchError(ContainSubstring("templates/configmap.yaml:7")))
}

func TestImagesThatTheMarketMakesAreThoseThatChartsUse(t *testing.T) {
	g := NewWithT(t)
	market, _ := startMarket(t)
	used := []string{samplemarket.Registry + "/broken:0.1"}
	for _, each := range [][2]string{
		{"hello", "1.0.0"}, {"hello", "1.1.0"}, {"hello", "1.2.0-rc.1"}, {"notes", "1.4.2"}, {"wiki", "2.0.1"},
		{"blog", "0.9.0"}, {"board", "1.0.3"}, {"clock", "3.1.0"}, {"team", "1.2.0"},
	} {
		draft, err := hydrateChart(t, each[0], each[1])
		g.Expect(err).NotTo(HaveOccurred())
		for _, image := range draft.Images {
			used = append(used, image.Reference)
		}
	}
	slices.Sort(used)
	g.Expect(market.Images()).To(Equal(used))
}
