package images

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/yamlbounds"

	sigsyaml "sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxWhere bounds the places that are listed for one image.
	maxWhere = 20
	// maxAnnouncedBytes bounds the list of images in Chart.yaml.
	maxAnnouncedBytes = 256 << 10
	// declared is the place of an image that the app's manifest names.
	declared = "declared"
	// imagesAnnotation is where Chart.yaml lists images, as Artifact Hub reads them.
	imagesAnnotation = "artifacthub.io/images"
)

// podLists are the lists of containers in a pod spec, with what one is called.
var PodListFields = map[string]string{
	"containers":          "container",
	"initContainers":      "init container",
	"ephemeralContainers": "ephemeral container",
}

// podless are kinds that run nothing, whatever words are in them.
var KindsWithoutPods = map[string]bool{
	"ConfigMap":                true,
	"CustomResourceDefinition": true,
	"Secret":                   true,
}

// FindImages returns the images that documents run, those listed as declared, and
// those that Chart.yaml announces, by full name and each once. The first are found by structure: whatever looks like a
// pod spec counts, in any kind of object and at any depth to maxDepth, hooks
// included; a word in a ConfigMap does not.
//
// An image that is empty is left out: values that are given at install complete
// it. In kinds that Kubernetes does not itself run as pods, so is what is not a
// reference: policies and workflow templates hold patterns there. Anywhere else
// that is stalled with InvalidImage; too many images with LimitExceeded; a
// document that is not YAML with RenderFailed. What is announced and is not a
// reference, or too much, is left out.
func Find(docs []objects.Document, listed []string, announced ...string) ([]Image, error) {
	found := finder{known: map[string]*findings{}}
	for _, doc := range docs {
		if !strings.Contains(doc.Text, "image") {
			continue
		}
		if err := objects.Each(doc, found.object); err != nil {
			return nil, err
		}
	}
	for _, reference := range listed {
		if err := found.add(reference, declared, true); err != nil {
			return nil, err
		}
	}
	for _, reference := range announced {
		if len(found.known) == chart.MaxImages {
			break
		}
		if err := found.add(reference, imagesAnnotation, false); err != nil {
			return nil, err
		}
	}
	if found.invalid != "" {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidImage, errors.New(found.invalid))
	}
	return found.images(), nil
}

// announcedImages are the images that Chart.yaml lists for Artifact Hub. A list that
// cannot be read names none.
func Annotated(chart chart.Metadata) []string {
	text := []byte(chart.Annotations[imagesAnnotation])
	if yamlbounds.Check(text, maxAnnouncedBytes) != nil {
		return nil
	}
	var list []struct {
		Image string `json:"image"`
	}
	if sigsyaml.Unmarshal(text, &list) != nil {
		return nil
	}
	var all []string
	for _, entry := range list {
		all = append(all, strings.TrimSpace(entry.Image))
	}
	return all
}

// finder collects images by their full names.
type finder struct {
	known map[string]*findings
	// invalid is the first in order of all complaints: maps are searched in no
	// order, and the same chart must give the same message every time.
	invalid string
}

type findings struct {
	reference string
	where     map[string]bool
}

func (f *finder) object(o objects.Map) error {
	if KindsWithoutPods[o.Kind()] {
		return nil
	}
	return f.search(o, o, 0)
}

// search looks for pod specs in a value of an object.
func (f *finder) search(in objects.Map, value any, depth int) error {
	if depth > objects.MaxDepth {
		return nil
	}
	switch value := value.(type) {
	case objects.Map:
		if err := f.podSpec(in, value); err != nil {
			return err
		}
		for _, field := range value {
			if err := f.search(in, field, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range value {
			if err := f.search(in, item, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// podSpec takes the images of a map that may be a pod spec.
func (f *finder) podSpec(in, spec objects.Map) error {
	isPod := false
	for list, called := range PodListFields {
		containers, _ := spec[list].([]any)
		for _, item := range containers {
			container, _ := item.(objects.Map)
			reference, named := container.Text("image"), container.Text("name")
			if named == "" {
				continue
			}
			isPod = true
			if err := f.add(reference, in.Title()+" "+called+" "+named, in.IsWorkload()); err != nil {
				return err
			}
		}
	}
	if !isPod {
		return nil
	}
	volumes, _ := spec["volumes"].([]any)
	for _, item := range volumes {
		volume, _ := item.(objects.Map)
		image, _ := volume["image"].(objects.Map)
		where := in.Title() + " image volume " + volume.Text("name")
		if err := f.add(image.Text("reference"), where, in.IsWorkload()); err != nil {
			return err
		}
	}
	return nil
}

// add takes in one image. One that is certain must be a valid reference.
func (f *finder) add(reference, where string, certain bool) error {
	if reference == "" {
		return nil
	}
	full, err := NormalizeReference(reference)
	if err != nil {
		if complaint := fmt.Sprintf("%s: image %q: %v", where, reference, err); certain && (f.invalid == "" || complaint < f.invalid) {
			f.invalid = complaint
		}
		return nil
	}
	known, ok := f.known[full]
	if !ok {
		if len(f.known) == chart.MaxImages {
			return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "find images: more than %d images", chart.MaxImages)
		}
		known = &findings{reference: reference, where: map[string]bool{}}
		f.known[full] = known
	}
	known.reference = min(known.reference, reference)
	known.where[where] = true
	return nil
}

// images are the findings by name.
func (f *finder) images() []Image {
	images := make([]Image, 0, len(f.known))
	for _, full := range slices.Sorted(maps.Keys(f.known)) {
		where := slices.Sorted(maps.Keys(f.known[full].where))
		images = append(images, Image{
			Reference: f.known[full].reference,
			Name:      full,
			Where:     where[:min(len(where), maxWhere)],
			Announced: len(where) == 1 && where[0] == imagesAnnotation,
		})
	}
	return images
}
