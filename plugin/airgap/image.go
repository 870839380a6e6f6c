package airgap

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/appmarket/operator/internal/images"
)

// imagePattern matches the full reference of an image: the registry, the repository, and a tag or a
// digest. It matches no character that a shell interprets.
var imagePattern = regexp.MustCompile(`^([A-Za-z0-9]+(?:(?:\.|-+)[A-Za-z0-9]+)*(?::[0-9]+)?)/([a-z0-9._/-]+)(?::([A-Za-z0-9_][A-Za-z0-9._-]*)|@(sha256:[0-9a-f]{64}))$`)

// Image is an image to copy.
type Image struct {
	// Name is the full reference, as a container runtime resolves it.
	Name string
	// Digest is the digest that the reference has resolved to, empty if the registry did not return it.
	Digest string
	// Values are the files with values that use the image, in the form "<app>: <file>". They are empty for an image
	// that an app uses with its default values.
	Values []string
	// Problem describes why the digest is unknown, "" if this is unknown too.
	Problem string

	registry, repository, tag string
}

// newImage returns the image with a full reference and the digest that it has resolved to. A reference that
// no container runtime accepts is an error.
func newImage(name, digest string) (Image, error) {
	normalized, err := images.NormalizeReference(name)
	parts := imagePattern.FindStringSubmatch(name)
	if err != nil || normalized != name || parts == nil {
		return Image{}, fmt.Errorf("image %q is not the full reference of an image", name)
	}
	image := Image{Name: name, Digest: digest, registry: parts[1], repository: parts[2], tag: parts[3]}
	if parts[4] != "" {
		image.Digest = parts[4]
	}
	if image.Digest != "" && !digestPattern.MatchString(image.Digest) {
		return Image{}, fmt.Errorf("digest %q of image %q is not a SHA-256 digest", image.Digest, name)
	}
	return image, nil
}

// addImage adds an image of a report. If two apps have resolved a reference to different digests, the first
// one is copied.
func addImage(found map[string]Image, listed images.Image) error {
	digest := ""
	if listed.Detail != nil {
		digest = listed.Detail.Digest
	}
	image, err := newImage(listed.Name, digest)
	if err != nil {
		return err
	}
	image.Problem = listed.Problem
	known, exists := found[image.Name]
	if !exists || known.Digest == "" {
		known = image
	}
	known.Values = nil
	found[image.Name] = known
	return checkCount(found)
}

// addValuesImage adds an image that an app uses with the values of a file.
func addValuesImage(found map[string]Image, name, file string) error {
	image, err := newImage(name, "")
	if err != nil {
		return err
	}
	known, exists := found[image.Name]
	switch {
	case !exists:
		image.Values = []string{file}
		found[image.Name] = image
	case len(known.Values) > 0:
		known.Values = append(known.Values, file)
		found[image.Name] = known
	}
	return checkCount(found)
}

func checkCount(found map[string]Image) error {
	if len(found) > MaxImages {
		return fmt.Errorf("the apps have more than %d images", MaxImages)
	}
	return nil
}

// Source returns the reference from which the image is copied: by digest, if it is known.
func (i Image) Source() string {
	if i.Digest == "" {
		return i.Name
	}
	return i.registry + "/" + i.repository + "@" + i.Digest
}

// Target returns the path and the tag of the copy in a registry. The path begins with the registry of the
// image, so that images of two registries do not replace each other. An image that is used by digest gets
// a tag, because some registries delete images without tags.
func (i Image) Target() string {
	tag := i.tag
	if tag == "" {
		tag = strings.Replace(i.Digest, ":", "-", 1)
	}
	return strings.ToLower(strings.Replace(i.registry, ":", "-", 1)) + "/" + i.repository + ":" + tag
}
