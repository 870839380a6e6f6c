package airgap

import (
	"errors"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Formats of lists of images.
const (
	formatPlain  = "plain"
	formatHauler = "hauler"
	formatImgpkg = "imgpkg"
)

// ListFormats are the formats of PrintList.
var ListFormats = []string{formatPlain, formatHauler, formatImgpkg}

// ErrNoDigest is the error of PrintList for an image that an ImagesLock cannot contain.
var ErrNoDigest = errors.New("the digest is not known")

// copyList is a list of images of Hauler or imgpkg.
type copyList struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Metadata   *named       `json:"metadata,omitempty"`
	Spec       *listSpec    `json:"spec,omitempty"`
	Images     []listedLock `json:"images,omitempty"`
}

// named is the metadata of a list.
type named struct {
	Name string `json:"name"`
}

// listSpec is the spec of a list of Hauler.
type listSpec struct {
	Images []listedImage `json:"images"`
}

// listedImage is an image of a list of Hauler. Hauler copies all platforms if none is specified.
type listedImage struct {
	Name     string `json:"name"`
	Platform string `json:"platform,omitempty"`
}

// listedLock is an image of an ImagesLock.
type listedLock struct {
	Image       string            `json:"image"`
	Annotations map[string]string `json:"annotations"`
}

// PrintList prints images for a program that copies them, in one of the ListFormats. If platform is not empty, Hauler
// copies this platform only.
//
// The list of Hauler contains tags: a store of Hauler loses images without tags when it is saved and loaded, and the
// copy of an image that is listed by digest has no tag, so that Pods that refer to the tag could not pull it.
func PrintList(out io.Writer, format, platform string, images []v1alpha1.AppImage) error {
	parsed := make([]Image, 0, len(images))
	for _, image := range images {
		valid, err := newImage(image.Name, image.Digest)
		if err != nil {
			return err
		}
		parsed = append(parsed, valid)
	}
	switch format {
	case formatHauler:
		return printHauler(out, platform, parsed)
	case formatImgpkg:
		var missing []error
		for _, image := range parsed {
			if image.Digest == "" {
				missing = append(missing, fmt.Errorf("image %s: %w", image.Name, ErrNoDigest))
			}
		}
		if len(missing) > 0 {
			return errors.Join(missing...)
		}
		return printLock(out, parsed)
	}
	for _, image := range parsed {
		fmt.Fprintln(out, image.Source())
	}
	return nil
}

// printHauler prints a list of Hauler.
func printHauler(out io.Writer, platform string, images []Image) error {
	spec := listSpec{Images: []listedImage{}}
	for _, image := range images {
		spec.Images = append(spec.Images, listedImage{image.Name, platform})
	}
	return printYAML(out, copyList{APIVersion: "content.hauler.cattle.io/v1", Kind: "Images", Metadata: &named{"appmarket"}, Spec: &spec})
}

// printLock prints an ImagesLock of the images whose digest is known.
func printLock(out io.Writer, images []Image) error {
	lock := copyList{APIVersion: "imgpkg.carvel.dev/v1alpha1", Kind: "ImagesLock"}
	for _, image := range images {
		if image.Digest != "" {
			lock.Images = append(lock.Images, listedLock{Image: image.Source(), Annotations: map[string]string{"kbld.carvel.dev/id": image.Name}})
		}
	}
	return printYAML(out, lock)
}

func printYAML(out io.Writer, list copyList) error {
	text, err := yaml.Marshal(list)
	if err != nil {
		return fmt.Errorf("print images: %w", err)
	}
	_, err = out.Write(text)
	return err
}
