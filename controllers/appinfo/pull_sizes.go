package appinfo

import (
	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/text"
)

// Limits of the sizes by platform. They match the CRD schema.
const (
	maxPullSizes    = 16
	maxPlatformName = 64
)

// setPullSizes sets the sizes of the images of an app.
func setPullSizes(out *v1alpha1.AppFootprint, sizes []images.PullSize) {
	out.PullBytes, out.PullSizes = images.LargestPull(sizes), nil
	known := map[string]bool{}
	for _, size := range catalog.FirstItems(sizes, maxPullSizes) {
		if platform := text.Limit(size.Platform, maxPlatformName); !known[platform] {
			known[platform] = true
			out.PullSizes = append(out.PullSizes, v1alpha1.PlatformPullSize{Platform: platform, Bytes: &size.Bytes})
		}
	}
}

// updatePullSizes updates the sizes of the images in status after images were looked up again, unless status omits
// some of them. found contains the layers of these images by name. The layers of other images are in the report of
// the version. An image whose tag has moved in an earlier lookup is not in the report, so that its size counts as a
// whole.
func updatePullSizes(r *Reconciler, app *v1alpha1.AppInfo, found map[string]images.ImageLayers) error {
	st := &app.Status
	if st.Summary == nil || st.Summary.Footprint == nil || int(st.Summary.ImageCount) != len(st.Images) {
		return nil
	}
	reported, err := catalog.ReadLayers(r.Repository, findPublished(app, st.SelectedVersion))
	if err != nil {
		return err
	}
	var list []images.ImageLayers
	for _, image := range st.Images {
		switch layers, isReported := reported[image.Name]; {
		case found[image.Name].Digest != "":
			list = append(list, found[image.Name])
		case isReported && layers.Digest == image.Digest:
			list = append(list, layers)
		default:
			list = append(list, images.UnknownLayers(image.Name, image.Digest, image.Platforms, image.LargestPlatformBytes))
		}
	}
	setPullSizes(st.Summary.Footprint, images.PullSizes(list))
	return nil
}
