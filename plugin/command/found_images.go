package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/plugin/repository"
)

// imagesReport is the report with the images of a version.
const imagesReport = "images.json"

// foundImages contains each image of apps once.
type foundImages struct {
	byName map[string]v1alpha1.AppImage
	// versions contains the versions that use an image, by the name of the image.
	versions map[string][]string
}

// newFoundImages returns the images in the status of apps, used by their selected versions.
func newFoundImages(apps []v1alpha1.AppInfo) *foundImages {
	found := &foundImages{byName: map[string]v1alpha1.AppImage{}, versions: map[string][]string{}}
	for _, app := range apps {
		for _, image := range app.Status.Images {
			found.add(image, app.Status.SelectedVersion)
		}
	}
	return found
}

// add adds an image of a version. An image with a digest replaces one without.
func (i *foundImages) add(image v1alpha1.AppImage, version string) {
	if i.byName[image.Name].Digest == "" && (image.Digest != "" || i.byName[image.Name].Name == "") {
		i.byName[image.Name] = image
	}
	if !slices.Contains(i.versions[image.Name], version) {
		i.versions[image.Name] = append(i.versions[image.Name], version)
	}
}

// list returns the images that support a platform, or all if it is empty, sorted by name.
func (i *foundImages) list(platform string) []v1alpha1.AppImage {
	list := make([]v1alpha1.AppImage, 0, len(i.byName))
	for _, image := range i.byName {
		if platform == "" || slices.Contains(image.Platforms, platform) {
			list = append(list, image)
		}
	}
	slices.SortFunc(list, func(a, b v1alpha1.AppImage) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// addImagesOfVersions adds the images of all served versions of apps. If the user cannot read the repository through the
// API server, only the images of the selected versions are known.
func (f *Factory) addImagesOfVersions(ctx context.Context, k client.Client, flags *repositoryFlags, apps []v1alpha1.AppInfo, found *foundImages) error {
	opened, err := f.openRepository(ctx, k, flags)
	for i := 0; err == nil && i < len(apps); i++ {
		err = addImagesOfApp(ctx, opened, &apps[i], found)
	}
	if err == nil || flags.url != "" || !isUnreadable(err) {
		return err
	}
	fmt.Fprintf(f.Streams.ErrOut, "%s cannot be read from the repository: %s\nThe images of other versions than the selected one are missing.\n",
		imagesReport, printable(err.Error()))
	return nil
}

// addImagesOfApp adds the images of the served versions of an app.
func addImagesOfApp(ctx context.Context, c repository.Client, app *v1alpha1.AppInfo, found *foundImages) error {
	for _, version := range app.Status.Versions {
		report, err := repository.GetReport(ctx, c, version.ReportURL, imagesReport)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("app %q: version %s has no list of images: %w", appName(app), version.Version, err)
		}
		if err != nil {
			return err
		}
		var listed []images.Image
		if err := json.Unmarshal(report, &listed); err != nil {
			return fmt.Errorf("app %q: version %s: read %s: %w", appName(app), version.Version, imagesReport, err)
		}
		for _, image := range listed {
			found.add(images.ToAppImage(image), version.Version)
		}
	}
	return nil
}
