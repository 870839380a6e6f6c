package appinstalltask

import (
	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/images"
)

// addImages adds the images that an operation adds and removes to a plan, with their sizes. had are the images of
// the installed version, and has the images of the new one.
func addImages(plan *v1alpha1.Plan, reports catalog.Reports, s *scope, had, has []images.Image) error {
	known, err := knownLayers(reports, s)
	if err != nil {
		return err
	}
	before, after := layersOf(had, known), layersOf(has, known)
	added, removed := otherImages(after, before), otherImages(before, after)
	plan.ImagesAdded, plan.ImagesRemoved = toPlannedImages(added), toPlannedImages(removed)
	plan.ImageBytesAdded = images.LargestPull(images.PullSizes(added, before...))
	plan.ImageBytesRemoved = images.LargestPull(images.PullSizes(removed, after...))
	return nil
}

// knownLayers returns the layers of the images of the installed and of the new version by name. An image whose tag
// has moved since the version was published has the size in the status of the app.
func knownLayers(reports catalog.Reports, s *scope) (map[string]images.ImageLayers, error) {
	known := map[string]images.ImageLayers{}
	if s.app == nil {
		return known, nil
	}
	for _, version := range plannedVersions(s) {
		layers, err := catalog.ReadLayers(reports, version)
		if err != nil {
			return nil, err
		}
		for name, image := range layers {
			known[name] = image
		}
	}
	for _, image := range s.app.Info.Status.Images {
		if known[image.Name].Digest != image.Digest || image.Digest == "" {
			known[image.Name] = images.UnknownLayers(image.Name, image.Digest, image.Platforms, image.LargestPlatformBytes)
		}
	}
	return known, nil
}

// plannedVersions returns the installed and the new version, in this order, if they are served.
func plannedVersions(s *scope) (found []*v1alpha1.PublishedVersion) {
	served := s.app.Info.Status.Versions
	for i := range served {
		if s.instance != nil && served[i].Version == s.instance.Status.Version {
			found = append(found, &served[i])
		}
	}
	if s.version != nil {
		found = append(found, s.version)
	}
	return found
}

// layersOf returns the layers of images. They are empty for an image that is not known.
func layersOf(list []images.Image, known map[string]images.ImageLayers) []images.ImageLayers {
	found := make([]images.ImageLayers, 0, len(list))
	for _, image := range list {
		layers := known[image.Name]
		layers.Name = image.Name
		found = append(found, layers)
	}
	return found
}

// otherImages returns the images of a list that another list does not contain.
func otherImages(list, without []images.ImageLayers) []images.ImageLayers {
	excluded := images.LayersByName(without)
	var others []images.ImageLayers
	for _, image := range list {
		if _, isExcluded := excluded[image.Name]; !isExcluded {
			others = append(others, image)
		}
	}
	return others
}

// toPlannedImages returns the first images with their own sizes.
func toPlannedImages(list []images.ImageLayers) (planned []v1alpha1.PlannedImage) {
	for _, image := range catalog.FirstItems(list, maxPlannedImages) {
		size := images.LargestPull(images.PullSizes([]images.ImageLayers{image}))
		planned = append(planned, v1alpha1.PlannedImage{Name: image.Name, LargestPlatformBytes: size})
	}
	return planned
}
