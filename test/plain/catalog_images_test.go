package plain_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/source"
)

// podsByKind contains the functions that decode the Pods of the kinds of Kubernetes with its own types, which is
// independent of the search of hydration.
var podsByKind = map[string]func([]byte) (corev1.PodSpec, error){
	"Pod":         podReader(func(o *corev1.Pod) corev1.PodSpec { return o.Spec }),
	"Deployment":  podReader(func(o *appsv1.Deployment) corev1.PodSpec { return o.Spec.Template.Spec }),
	"StatefulSet": podReader(func(o *appsv1.StatefulSet) corev1.PodSpec { return o.Spec.Template.Spec }),
	"DaemonSet":   podReader(func(o *appsv1.DaemonSet) corev1.PodSpec { return o.Spec.Template.Spec }),
	"ReplicaSet":  podReader(func(o *appsv1.ReplicaSet) corev1.PodSpec { return o.Spec.Template.Spec }),
	"Job":         podReader(func(o *batchv1.Job) corev1.PodSpec { return o.Spec.Template.Spec }),
	"CronJob":     podReader(func(o *batchv1.CronJob) corev1.PodSpec { return o.Spec.JobTemplate.Spec.Template.Spec }),
}

func podReader[T any](spec func(*T) corev1.PodSpec) func([]byte) (corev1.PodSpec, error) {
	return func(text []byte) (corev1.PodSpec, error) {
		object := new(T)
		err := json.Unmarshal(text, object)
		return spec(object), err
	}
}

// pulledImages returns the images that the Pods of documents pull, and the images that the manifest declares, by full
// name.
func pulledImages(g *WithT, documents []objects.Document, manifest *hydrate.Manifest) map[string]bool {
	references := []string{}
	if manifest != nil {
		references = slices.Clone(manifest.Images)
	}
	for _, document := range documents {
		var kind struct{ Kind string }
		text, err := yaml.YAMLToJSON([]byte(document.Text))
		g.Expect(err).NotTo(HaveOccurred(), document.Path)
		g.Expect(json.Unmarshal(text, &kind)).To(Succeed(), document.Path)
		read, runsPods := podsByKind[kind.Kind]
		if !runsPods {
			continue
		}
		pod, err := read(text)
		g.Expect(err).NotTo(HaveOccurred(), document.Path)
		for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
			references = append(references, container.Image)
		}
	}
	pulled := map[string]bool{}
	for _, reference := range references {
		if full, err := images.NormalizeReference(reference); err == nil {
			pulled[full] = true
		}
	}
	return pulled
}

// TestImagesOfTheCatalog finds the images of real charts, and prints recall and precision, also of the line
// pattern. Images are right if a Pod pulls them or the manifest declares them. Images that only a convention or an
// annotation names are printed, because only a person can tell whether they are right. No image of a Pod may be missing.
func TestImagesOfTheCatalog(t *testing.T) {
	root := os.Getenv("MARKET_CATALOG")
	if root == "" {
		t.Skip("skipped: MARKET_CATALOG is not set")
	}
	g := NewWithT(t)
	charts, err := source.Open(source.Config{Directory: &source.DirectoryConfig{Path: root, AllowedRoots: []string{root}}})
	g.Expect(err).NotTo(HaveOccurred())
	listing, err := charts.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	var ours, pattern score
	announced := 0
	for _, app := range listing.Apps {
		payload, err := charts.Fetch(t.Context(), app.Offers[0])
		g.Expect(err).NotTo(HaveOccurred(), app.Name)
		var want, byLine map[string]bool
		worker := hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}, Done: func(step hydrate.Name, d *hydrate.Draft) {
			if step == hydrate.StepCustomParams {
				want, byLine = pulledImages(g, d.AllDocuments(), d.Manifest), findByLine(d.AllDocuments())
			}
		}}
		d, _, err := worker.Analyze(t.Context(), hydrate.Request{App: app.Name, Offer: app.Offers[0], Profile: olares.Profile{}}, payload)
		g.Expect(err).NotTo(HaveOccurred(), app.Name)
		var found []string
		for _, image := range d.Images {
			if image.Announced && !want[image.Name] {
				t.Logf("%s: %s is announced (%s)", app.Name, image.Name, image.Where[0])
				announced++
				continue
			}
			found = append(found, image.Name)
		}
		wanted := slices.Sorted(maps.Keys(want))
		ours.add(found, wanted)
		pattern.add(slices.Sorted(maps.Keys(byLine)), wanted)
		g.Expect(found).To(ContainElements(wanted), app.Name)
	}
	t.Logf("%d charts, %d images: structure and conventions: %s; line pattern: %s; %d images are only announced",
		len(listing.Apps), ours.right+ours.missing, &ours, &pattern, announced)
	g.Expect(ours.missing).To(BeZero())
}
