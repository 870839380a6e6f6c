package hydrate_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/objects"

	registryserver "github.com/google/go-containerregistry/pkg/registry"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/registry"
)

// newRegistries starts a server that acts as docker.io and registry.example.com and has the
// given images, each for amd64 and arm64. The registry silent.example.com does not respond.
func newRegistries(t *testing.T, images ...string) hydrate.Inspector {
	t.Helper()
	g := NewWithT(t)
	server := httptest.NewServer(registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	silent := httptest.NewServer(nil)
	silent.Close()
	for _, image := range images {
		ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/" + image)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(remote.WriteIndex(ref, newImageIndex(t, image))).To(Succeed())
	}
	client, err := registry.New(registry.Options{Mirrors: map[string]string{
		"docker.io": server.URL, "registry.example.com": server.URL, "silent.example.com": silent.URL,
	}})
	g.Expect(err).NotTo(HaveOccurred())
	return registry.Cached(registry.Limited(client, 4), 0, 100)
}

// newImageIndex returns an image index whose bytes depend only on the name.
func newImageIndex(t *testing.T, image string) v1.ImageIndex {
	t.Helper()
	g := NewWithT(t)
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, architecture := range []string{"amd64", "arm64"} {
		layers := []v1.Layer{static.NewLayer([]byte("base of "+architecture), types.OCILayer)}
		for n := range i + 1 {
			content := strings.Repeat(fmt.Sprintf("%s %s %d\n", image, architecture, n), 50)
			layers = append(layers, static.NewLayer([]byte(content), types.OCILayer))
		}
		built, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layers...)
		g.Expect(err).NotTo(HaveOccurred())
		built, err = mutate.ConfigFile(built, &v1.ConfigFile{OS: "linux", Architecture: architecture, RootFS: rootFS(t, built)})
		g.Expect(err).NotTo(HaveOccurred())
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: built, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	return index
}

func rootFS(t *testing.T, image v1.Image) v1.RootFS {
	t.Helper()
	config, err := image.ConfigFile()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return config.RootFS
}

// newDraftWithImages returns a draft of a chart that renders to pods with these images.
func newDraftWithImages(images ...string) *hydrate.Draft {
	d := &hydrate.Draft{}
	for i, image := range images {
		d.Units = append(d.Units, hydrate.Unit{Documents: []objects.Document{{
			Path: fmt.Sprintf("web/templates/%d.yaml", i),
			Text: fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: p%d}\nspec: {containers: [{name: c, image: %q}]}\n", i, image),
		}}})
	}
	return d
}

func TestImageAnalysis(t *testing.T) {
	g := NewWithT(t)
	step := hydrate.ImageAnalysis{Inspector: newRegistries(t, "library/busybox:1.36", "web:1", "worker:7")}
	d := newDraftWithImages("registry.example.com/web:1", "busybox:1.36", "registry.example.com/web:1")
	d.Manifest = &hydrate.Manifest{Images: []string{"registry.example.com/worker:7"}}
	g.Expect(step.Apply(t.Context(), d)).To(Succeed())
	g.Expect(d.Images).To(HaveExactElements(
		And(HaveField("Name", "docker.io/library/busybox:1.36"), HaveField("Reference", "busybox:1.36"), HaveField("Where", []string{"Pod/p1 container c"})),
		And(HaveField("Name", "registry.example.com/web:1"), HaveField("Where", []string{"Pod/p0 container c", "Pod/p2 container c"})),
		And(HaveField("Name", "registry.example.com/worker:7"), HaveField("Where", []string{"declared"})),
	))
	for _, image := range d.Images {
		g.Expect(image.Problem).To(BeEmpty(), image.Name)
		g.Expect(image.Detail.Digest).To(HavePrefix("sha256:"), image.Name)
		g.Expect(image.Detail.Platforms).To(HaveExactElements(
			And(HaveField("OS", "linux"), HaveField("Architecture", "amd64"), HaveField("Layers", 2), HaveField("Size", BeNumerically(">", 100))),
			And(HaveField("OS", "linux"), HaveField("Architecture", "arm64"), HaveField("Layers", 3), HaveField("Size", BeNumerically(">", 100))),
		), image.Name)
	}
}

// TestImageAnalysisOfAnnouncedImages covers images that only Chart.yaml lists for Artifact
// Hub, whether they exist or not.
func TestImageAnalysisOfAnnouncedImages(t *testing.T) {
	g := NewWithT(t)
	step := hydrate.ImageAnalysis{Inspector: newRegistries(t, "web:1", "probe:2")}
	d := newDraftWithImages("registry.example.com/web:1")
	d.Chart.Annotations = map[string]string{"artifacthub.io/images": `
- {name: web, image: registry.example.com/web:1}
- {name: probe, image: registry.example.com/probe:2}
- {name: gone, image: registry.example.com/gone:3}
- {name: wrong, image: "https://registry.example.com/x"}
- {name: none}
`}
	g.Expect(step.Apply(t.Context(), d)).To(Succeed())
	g.Expect(d.Images).To(HaveExactElements(
		And(HaveField("Name", "registry.example.com/gone:3"), HaveField("Announced", true), HaveField("Problem", Not(BeEmpty()))),
		And(HaveField("Name", "registry.example.com/probe:2"), HaveField("Announced", true), HaveField("Detail", Not(BeNil()))),
		And(HaveField("Name", "registry.example.com/web:1"), HaveField("Announced", false), HaveField("Where", HaveLen(2))),
	))
	for _, text := range []string{"", "web", "[1, 2]", "- [", strings.Repeat(" ", 1<<20)} {
		d = newDraftWithImages()
		d.Chart.Annotations = map[string]string{"artifacthub.io/images": text}
		g.Expect(step.Apply(t.Context(), d)).To(Succeed(), text)
		g.Expect(d.Images).To(BeEmpty())
	}
}

// TestImageAnalysisTellsMissingFromSilent shows that an image that the registry does not
// have fails the app, and that a registry that is down does not.
func TestImageAnalysisTellsMissingFromSilent(t *testing.T) {
	inspector := newRegistries(t, "web:1")

	g := NewWithT(t)
	d := newDraftWithImages("registry.example.com/web:1", "silent.example.com/web:1")
	g.Expect(hydrate.ImageAnalysis{Inspector: inspector}.Apply(t.Context(), d)).To(Succeed())
	g.Expect(d.Images).To(HaveExactElements(
		And(HaveField("Problem", BeEmpty()), HaveField("Detail", Not(BeNil()))),
		And(HaveField("Problem", Not(BeEmpty())), HaveField("Detail", BeNil())),
	))
	g.Expect(d.Images[1].Problem).NotTo(MatchRegexp(`:\d{4,}`), "messages must not contain ports")

	d = newDraftWithImages("registry.example.com/web:1", "registry.example.com/web:2", "silent.example.com/web:1")
	err := hydrate.ImageAnalysis{Inspector: inspector}.Apply(t.Context(), d)
	expectStepError(g, hydrate.StepImageAnalysis, err, v1alpha1.ReasonImageNotFound)
	g.Expect(err).To(MatchError(ContainSubstring("registry.example.com/web:2")))
	g.Expect(d.Images).To(BeNil(), "the draft is as it was")
}

func TestImageAnalysisRefuses(t *testing.T) {
	var many []string
	for i := range chart.MaxImages + 1 {
		many = append(many, fmt.Sprintf("registry.example.com/web:%d", i))
	}
	for _, c := range []struct {
		why    string
		draft  *hydrate.Draft
		reason string
	}{
		{"an image that no runtime would take", newDraftWithImages("Web:1"), v1alpha1.ReasonInvalidImage},
		{"more images than any app has", newDraftWithImages(many...), v1alpha1.ReasonLimitExceeded},
	} {
		t.Run(c.why, func(t *testing.T) {
			err := hydrate.ImageAnalysis{Inspector: newRegistries(t)}.Apply(t.Context(), c.draft)
			expectStepError(NewWithT(t), hydrate.StepImageAnalysis, err, c.reason)
		})
	}
}

func TestImageAnalysisWithoutImages(t *testing.T) {
	g := NewWithT(t)
	d := &hydrate.Draft{}
	g.Expect(hydrate.ImageAnalysis{}.Apply(t.Context(), d)).To(Succeed(), "no registry is asked")
	g.Expect(d.Images).To(BeEmpty())
}

// TestImageAnalysisStops shows that a canceled context results in an error and not in
// images whose registry is reported as down.
func TestImageAnalysisStops(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	d := newDraftWithImages("registry.example.com/web:1", "registry.example.com/web:2")
	err := hydrate.ImageAnalysis{Inspector: inspectorFunc(func(ctx context.Context) (images.Detail, error) {
		cancel()
		<-ctx.Done()
		return images.Detail{}, fmt.Errorf("ask registry: %w", ctx.Err())
	})}.Apply(ctx, d)
	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(outcome.IsStalled(err)).To(BeFalse())
	g.Expect(d.Images).To(BeNil())
}

type inspectorFunc func(ctx context.Context) (images.Detail, error)

func (f inspectorFunc) Inspect(ctx context.Context, _ string) (images.Detail, error) {
	return f(ctx)
}
