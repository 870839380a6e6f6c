// Package airgap collects the charts and the names of the images of apps in a folder, for clusters that
// cannot reach the repository and the registries.
//
// The names of apps, versions and images come from sources, which are not trusted: a name that could
// be a path or a command of a shell is an error. An archive must have the digest that the status of
// its app contains. The number and the size of all files are limited.
package airgap

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/plugin/hydration"
	"github.com/appmarket/operator/plugin/repository"
)

// Limits of a folder.
const (
	// MaxApps is the maximum number of apps, including dependencies.
	MaxApps = 100
	// MaxImages is the maximum number of images.
	MaxImages = 5000
	// MaxBytes is the maximum size of all archives, which are kept in memory until all are verified.
	MaxBytes = 512 << 20
)

// application is the type of a dependency that is an app of the same source.
const application = "application"

var (
	// namePattern matches the names of apps, sources and namespaces.
	namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$`)
	// versionPattern matches semantic versions.
	versionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+-]{0,127}$`)
	// digestPattern matches digests of archives and images.
	digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Chart is a version of an app, and its archive.
type Chart struct {
	Namespace, Source, App, Version, Digest string

	Archive []byte
	// RequiredBy is the name of the app that requires this one, empty for an app of the request.
	RequiredBy string
	// Problems describe the files with values with which the chart could not be rendered.
	Problems []string
}

// FileName returns the name of the archive.
func (c *Chart) FileName() string { return c.App + "-" + c.Version + ".tgz" }

// Content contains the charts and images of a folder.
type Content struct {
	Charts []Chart
	// Images contains each image once, sorted by name.
	Images []Image
	// ImageBytes is the compressed size of the images for all their platforms, each layer once. Unsized is the
	// number of images whose layers are unknown.
	ImageBytes int64
	Unsized    int
}

// Undigested returns the images whose digest is unknown.
func (c *Content) Undigested() []Image {
	return slices.DeleteFunc(slices.Clone(c.Images), func(image Image) bool { return image.Digest != "" })
}

// Request is an app to collect. The version is a version or a range, or empty for the latest stable version.
type Request struct {
	App     *v1alpha1.AppInfo
	Version string

	requiredBy string
}

// Collector collects apps and their dependencies.
type Collector struct {
	Repository repository.Client
	// Find returns the app with a name in the source of another app.
	Find func(ctx context.Context, of *v1alpha1.AppInfo, name string) (*v1alpha1.AppInfo, error)
	// FindImages returns the images that a chart uses with other values than the default ones. It may be nil.
	FindImages func(ctx context.Context, fetched *Chart) ([]hydration.ValuesImages, error)
	// Inspector looks up images that the market has not looked up. If it is nil, their digests are unknown.
	Inspector hydrate.Inspector
	// Report is called for each app before its chart is fetched, and ReportLookups with the number of images before
	// they are looked up.
	Report        func(app, version string)
	ReportLookups func(count int)
}

// Collect returns the charts and the images of apps and of the apps that they require.
func (c *Collector) Collect(ctx context.Context, requests []Request) (*Content, error) {
	content := &Content{}
	found, layers := map[string]Image{}, map[string]images.ImageLayers{}
	done, files, size := map[string]bool{}, map[string]string{}, 0
	for open := requests; len(open) > 0; open = open[1:] {
		request := open[0]
		version, err := selectVersion(request)
		if err != nil {
			return nil, err
		}
		key := request.App.Namespace + "/" + request.App.Name + "/" + version.Version
		if done[key] {
			continue
		}
		if done[key] = true; len(done) > MaxApps {
			return nil, fmt.Errorf("the apps and their dependencies are more than %d apps", MaxApps)
		}
		fetched, needs, err := c.fetchApp(ctx, request, version, found, layers)
		if err != nil {
			return nil, fmt.Errorf("app %q: %w", request.App.Spec.App, err)
		}
		if other, exists := files[fetched.FileName()]; exists {
			return nil, fmt.Errorf("app %q: another chart of the folder has the name %s: %s; collect them in separate folders", request.App.Spec.App, fetched.FileName(), other)
		}
		if size += len(fetched.Archive); size > MaxBytes {
			return nil, fmt.Errorf("the archives have more than %d bytes", MaxBytes)
		}
		files[fetched.FileName()] = fetched.Namespace + "/" + fetched.Source
		content.Charts = append(content.Charts, *fetched)
		for _, need := range needs {
			app, err := c.Find(ctx, request.App, need.Name)
			if err != nil {
				return nil, fmt.Errorf("app %q requires app %q: %w", request.App.Spec.App, need.Name, err)
			}
			open = append(open, Request{App: app, Version: need.Version, requiredBy: request.App.Spec.App})
		}
	}
	if err := c.lookUpImages(ctx, found, layers); err != nil {
		return nil, err
	}
	content.addImages(found, layers)
	return content, nil
}

// addImages adds images and their size.
func (c *Content) addImages(found map[string]Image, layers map[string]images.ImageLayers) {
	var sized []images.ImageLayers
	for name, image := range found {
		c.Images = append(c.Images, image)
		if known := layers[name]; known.Digest != "" && known.Digest == image.Digest {
			sized = append(sized, known)
		} else {
			c.Unsized++
		}
	}
	c.ImageBytes = images.AllBytes(sized)
	slices.SortFunc(c.Images, func(a, b Image) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Digest, b.Digest))
	})
}

// selectVersion returns the version of an app that is collected.
func selectVersion(r Request) (*v1alpha1.PublishedVersion, error) {
	if len(r.App.Status.Versions) == 0 {
		return nil, fmt.Errorf("app %q has no served version", r.App.Spec.App)
	}
	if r.Version == "" {
		return catalog.NewestVersion(r.App.Status.Versions), nil
	}
	version, err := catalog.SelectVersion(r.App.Status.Versions, r.Version)
	switch {
	case err != nil:
		return nil, fmt.Errorf("app %q: version %q must be a version or a range of versions: %w", r.App.Spec.App, r.Version, err)
	case version == nil:
		return nil, fmt.Errorf("app %q has no served version that matches %q", r.App.Spec.App, r.Version)
	}
	return version, nil
}

// fetchApp returns the chart of a version and the apps that it requires, and adds its images and their layers to
// those that were found.
func (c *Collector) fetchApp(
	ctx context.Context, r Request, version *v1alpha1.PublishedVersion, found map[string]Image, layers map[string]images.ImageLayers,
) (*Chart, []hydrate.Dependency, error) {
	fetched := &Chart{
		Namespace: r.App.Namespace, Source: r.App.Spec.SourceRef.Name, App: r.App.Spec.App, Version: version.Version,
		Digest: version.Digest, RequiredBy: r.requiredBy,
	}
	for _, name := range []string{fetched.Namespace, fetched.Source, fetched.App} {
		if !namePattern.MatchString(name) {
			return nil, nil, fmt.Errorf("name %q cannot be the name of a file", name)
		}
	}
	switch {
	case !versionPattern.MatchString(fetched.Version):
		return nil, nil, fmt.Errorf("version %q cannot be the name of a file", fetched.Version)
	case !digestPattern.MatchString(fetched.Digest):
		return nil, nil, fmt.Errorf("version %s has no SHA-256 digest", fetched.Version)
	case !hasReports(version):
		return nil, nil, fmt.Errorf("version %s has no reports", fetched.Version)
	}
	c.Report(fetched.Namespace+"/"+fetched.Source+"/"+fetched.App, fetched.Version)
	var err error
	if fetched.Archive, err = c.Repository.Get(ctx, chart.MaxArchiveBytes, fetched.Namespace, fetched.Source, "charts", fetched.FileName()); err != nil {
		return nil, nil, err
	}
	if digest := fmt.Sprintf("sha256:%x", sha256.Sum256(fetched.Archive)); digest != fetched.Digest {
		return nil, nil, fmt.Errorf("the archive of version %s has the digest %s instead of %s", fetched.Version, digest, fetched.Digest)
	}
	var listed []images.Image
	if err := c.readReport(ctx, version.ReportURL, "images.json", &listed); err != nil {
		return nil, nil, err
	}
	for _, image := range listed {
		if err := addImage(found, image); err != nil {
			return nil, nil, err
		}
	}
	if err := c.addLayers(ctx, version.ReportURL, layers); err != nil {
		return nil, nil, err
	}
	if err := c.addValuesImages(ctx, fetched, found); err != nil {
		return nil, nil, err
	}
	var manifest hydrate.Manifest // A plain chart has none.
	if err := c.readReport(ctx, version.ReportURL, "app.json", &manifest); err != nil {
		return nil, nil, err
	}
	return fetched, slices.DeleteFunc(manifest.Needs, func(d hydrate.Dependency) bool { return d.Type != application || !d.Mandatory }), nil
}

// hasReports reports whether the status has the URL of the reports of a version.
func hasReports(version *v1alpha1.PublishedVersion) bool {
	_, valid := repository.ReportDigest(version.ReportURL)
	return valid
}

// addValuesImages adds the images that a chart uses with other values.
func (c *Collector) addValuesImages(ctx context.Context, fetched *Chart, found map[string]Image) error {
	if c.FindImages == nil {
		return nil
	}
	all, err := c.FindImages(ctx, fetched)
	if err != nil {
		return err
	}
	for _, rendered := range all {
		if rendered.Problem != "" {
			fetched.Problems = append(fetched.Problems, rendered.File+": "+rendered.Problem)
		}
		for _, image := range rendered.Images {
			if err := addValuesImage(found, image.Name, fetched.App+": "+rendered.File); err != nil {
				return err
			}
		}
	}
	return nil
}

// addLayers adds the layers of the images of a version. A version of an earlier release of the operator has no
// report of them.
func (c *Collector) addLayers(ctx context.Context, reportURL string, layers map[string]images.ImageLayers) error {
	text, err := repository.GetReport(ctx, c.Repository, reportURL, images.LayersReport)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := images.DecodeLayers(text)
	if err != nil {
		return err
	}
	for _, image := range list {
		if _, exists := layers[image.Name]; !exists {
			layers[image.Name] = image
		}
	}
	return nil
}

// readReport reads a report of a version.
func (c *Collector) readReport(ctx context.Context, reportURL, name string, into any) error {
	text, err := repository.GetReport(ctx, c.Repository, reportURL, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read report %s: %w", name, err)
	}
	return nil
}
