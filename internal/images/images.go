package images

import (
	"cmp"
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
	// maxWhere is the maximum number of places that are listed for one image.
	maxWhere = 20
	// maxAnnouncedBytes is the maximum size of the list of images in Chart.yaml.
	maxAnnouncedBytes = 256 << 10
	// declared is the place of an image that the app manifest names.
	declared = "declared"
	// imagesAnnotation is the annotation of Chart.yaml that lists images for Artifact Hub.
	imagesAnnotation = "artifacthub.io/images"
)

// PodListFields maps each container list of a pod spec to the term for one of its items.
var PodListFields = map[string]string{
	"containers":          "container",
	"initContainers":      "init container",
	"ephemeralContainers": "ephemeral container",
}

// KindsWithoutPods are kinds that never run pods, even if their content looks like a pod
// spec.
var KindsWithoutPods = map[string]bool{
	"ConfigMap":                true,
	"CustomResourceDefinition": true,
	"Secret":                   true,
}

// FindImages returns the images that documents use, that listed contains, and that announced
// contains, sorted by full name and without duplicates. Images of documents are found by
// structure: every map that looks like a pod spec counts, in any kind of object, in hooks,
// and down to a depth of objects.MaxDepth. The contents of ConfigMaps and Secrets do not
// count. Images that containers and custom resources name by a convention, and those that
// annotations of objects declare, are announced.
//
// Empty references are skipped because values that are set at installation time may
// complete them. Invalid references are skipped in kinds that Kubernetes itself does not
// run as pods, because policies and workflow templates contain patterns, and in announced.
// In all other places the error is Stalled with InvalidImage. It is Stalled with
// LimitExceeded if there are more than chart.MaxImages images, not counting announced
// images, which are cut at that number, and with RenderFailed if a document is not valid
// YAML.
func FindImages(docs []objects.Document, listed []string, announced ...string) ([]Image, error) {
	found := finder{known: map[string]*imageUses{}, announced: map[announcement]bool{}, paths: map[string][]string{}}
	if err := found.searchDocuments(docs); err != nil {
		return nil, err
	}
	for _, reference := range listed {
		if err := found.addImage(reference, declared, true); err != nil {
			return nil, err
		}
	}
	for _, reference := range announced {
		found.announce(reference, imagesAnnotation)
	}
	found.addAnnounced()
	if found.invalid != "" {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidImage, errors.New(found.invalid))
	}
	return found.sortedImages(), nil
}

// AnnotatedImages returns the images that Chart.yaml lists for Artifact Hub. A list that cannot
// be parsed is ignored.
func AnnotatedImages(chart chart.Metadata) []string {
	text := []byte(chart.Annotations[imagesAnnotation])
	if yamlbounds.CheckText(text, maxAnnouncedBytes) != nil {
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
	known map[string]*imageUses
	// announced contains the images that conventions and annotations name, and paths the fields with images of
	// each kind, in the form <group>/<kind>.
	announced map[announcement]bool
	paths     map[string][]string
	// invalid is the first invalid reference in lexical order. Maps are iterated in random
	// order, and the same chart must always produce the same message.
	invalid string
}

type imageUses struct {
	reference string
	where     map[string]bool
	// isUsed is set if a pod spec or the app manifest names the image.
	isUsed bool
}

// searchDocuments finds the images of documents.
func (f *finder) searchDocuments(docs []objects.Document) error {
	for _, doc := range docs {
		if !strings.Contains(doc.Text, pathsAnnotation) {
			continue
		}
		if err := objects.EachObject(doc, func(o objects.Map) error { f.readPaths(o); return nil }); err != nil {
			return err
		}
	}
	for _, doc := range docs {
		if !mayContainImages(doc.Text) && len(f.paths) == 0 {
			continue
		}
		if err := objects.EachObject(doc, f.searchObject); err != nil {
			return err
		}
	}
	return nil
}

// mayContainImages reports whether a document has the word image, which all names of fields with images contain.
func mayContainImages(text string) bool {
	return strings.Contains(text, "image") || strings.Contains(text, "Image") || strings.Contains(text, "IMAGE")
}

func (f *finder) searchObject(o objects.Map) error {
	f.addAnnotated(o)
	if KindsWithoutPods[o.Kind()] {
		return nil
	}
	return f.searchValue(o, o, 0)
}

// searchValue finds pod specs and images that are named by a convention in a value of an object.
func (f *finder) searchValue(in objects.Map, value any, depth int) error {
	if depth > objects.MaxDepth {
		return nil
	}
	switch value := value.(type) {
	case objects.Map:
		isPod, err := f.addPodSpec(in, value)
		if err != nil {
			return err
		}
		if !builtInGroup.MatchString(in.Group()) {
			f.addFields(in, value)
		}
		for key, field := range value {
			if name, _ := key.(string); isPod && PodListFields[name] != "" {
				continue
			}
			if err := f.searchValue(in, field, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range value {
			if err := f.searchValue(in, item, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// addPodSpec adds the images of a map if the map is a pod spec, which it reports.
func (f *finder) addPodSpec(in, spec objects.Map) (isPod bool, err error) {
	for list, called := range PodListFields {
		containers, _ := spec[list].([]any)
		for _, item := range containers {
			container, _ := item.(objects.Map)
			reference, named := container.TextAt("image"), container.TextAt("name")
			if named == "" {
				continue
			}
			isPod = true
			where := in.KindAndName() + " " + called + " " + named
			if err := f.addImage(reference, where, in.IsWorkload()); err != nil {
				return true, err
			}
			f.addContainer(container, where)
		}
	}
	if !isPod {
		return false, nil
	}
	volumes, _ := spec["volumes"].([]any)
	for _, item := range volumes {
		volume, _ := item.(objects.Map)
		image, _ := volume["image"].(objects.Map)
		where := in.KindAndName() + " image volume " + volume.TextAt("name")
		if err := f.addImage(image.TextAt("reference"), where, in.IsWorkload()); err != nil {
			return true, err
		}
	}
	return true, nil
}

// addImage adds an image. If certain is true, an invalid reference is an error.
func (f *finder) addImage(reference, where string, certain bool) error {
	if reference == "" {
		return nil
	}
	full, err := NormalizeReference(reference)
	if err != nil {
		if message := fmt.Sprintf("%s: image: Invalid value: %q: %v", where, reference, err); certain && (f.invalid == "" || message < f.invalid) {
			f.invalid = message
		}
		return nil
	}
	known, ok := f.known[full]
	if !ok {
		if len(f.known) == chart.MaxImages {
			return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "find images: more than %d images", chart.MaxImages)
		}
		known = &imageUses{reference: reference, where: map[string]bool{}}
		f.known[full] = known
	}
	known.reference = min(known.reference, reference)
	known.where[where] = true
	known.isUsed = true
	return nil
}

// addAnnounced adds the announced images that are valid, in a fixed order, up to the maximum number of images.
func (f *finder) addAnnounced() {
	all := slices.SortedFunc(maps.Keys(f.announced), func(a, b announcement) int {
		return cmp.Or(strings.Compare(a.reference, b.reference), strings.Compare(a.where, b.where))
	})
	for _, image := range all {
		full, err := NormalizeReference(image.reference)
		if err != nil {
			continue
		}
		known, ok := f.known[full]
		if !ok && len(f.known) == chart.MaxImages {
			continue
		}
		if !ok {
			known = &imageUses{reference: image.reference, where: map[string]bool{}}
			f.known[full] = known
		}
		known.where[image.where] = true
	}
}

// sortedImages returns the images sorted by full name.
func (f *finder) sortedImages() []Image {
	images := make([]Image, 0, len(f.known))
	for _, full := range slices.Sorted(maps.Keys(f.known)) {
		where := slices.Sorted(maps.Keys(f.known[full].where))
		images = append(images, Image{
			Reference: f.known[full].reference,
			Name:      full,
			Where:     where[:min(len(where), maxWhere)],
			Announced: !f.known[full].isUsed,
		})
	}
	return images
}
