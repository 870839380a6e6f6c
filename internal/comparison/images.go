package comparison

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/text"
)

const (
	// maxImagesBytes is the maximum size of the report about images, and maxImages of their number.
	maxImagesBytes = 1 << 20
	maxImages      = 2000
)

// ImageChange is a difference between images. Images of one repository are one change if each version
// has one of them.
type ImageChange struct {
	Change Change
	// Before and After are nil if there is no image.
	Before, After *Image
}

// Image is an image of a version.
type Image struct {
	Name, Digest string
	// Bytes is the size of the build for the largest platform, 0 if it is unknown.
	Bytes int64
}

// compareImages compares images by name.
func compareImages(from, to []byte) (section Section[ImageChange]) {
	before, err := imagesByName(from)
	if err != nil {
		section.Problem = problemOf(err)
		return section
	}
	after, err := imagesByName(to)
	if err != nil {
		section.Problem = problemOf(err)
		return section
	}
	for name, image := range before {
		if same, found := after[name]; found && (same.Digest == image.Digest || same.Digest == "" || image.Digest == "") {
			delete(before, name)
			delete(after, name)
		}
	}
	removed, added := byRepository(before), byRepository(after)
	for _, repository := range sortedUnion(removed, added) {
		was, is := removed[repository], added[repository]
		if len(was) == 1 && len(is) == 1 {
			section.add(ImageChange{Changed, was[0], is[0]})
			continue
		}
		for _, image := range was {
			section.add(ImageChange{Change: Removed, Before: image})
		}
		for _, image := range is {
			section.add(ImageChange{Change: Added, After: image})
		}
	}
	return section
}

// imagesByName returns the images of a report.
func imagesByName(report []byte) (map[string]*Image, error) {
	if len(report) == 0 {
		return nil, nil
	}
	if len(report) > maxImagesBytes {
		return nil, fmt.Errorf("images.json has %d bytes, at most %d are compared", len(report), maxImagesBytes)
	}
	var all []images.Image
	if err := json.Unmarshal(report, &all); err != nil {
		return nil, fmt.Errorf("images.json: %w", err)
	}
	if len(all) > maxImages {
		return nil, fmt.Errorf("images.json: %w", errTooMany)
	}
	found := map[string]*Image{}
	for _, each := range all {
		image := &Image{Name: text.Printable(each.Name, maxNameBytes)}
		if each.Detail != nil {
			image.Digest = text.Printable(each.Detail.Digest, maxNameBytes)
			for _, platform := range each.Detail.Platforms {
				image.Bytes = max(image.Bytes, platform.Size)
			}
		}
		found[image.Name] = image
	}
	return found, nil
}

// byRepository returns images by their names without tag and digest, sorted.
func byRepository(all map[string]*Image) map[string][]*Image {
	found := map[string][]*Image{}
	for _, name := range sortedUnion(all, nil) {
		repository, _, _ := strings.Cut(name, "@")
		if at := strings.LastIndex(repository, ":"); at > strings.LastIndex(repository, "/") {
			repository = repository[:at]
		}
		found[repository] = append(found[repository], all[name])
	}
	return found
}
