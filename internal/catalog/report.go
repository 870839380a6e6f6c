package catalog

import (
	"errors"
	"io/fs"
	"regexp"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/images"
)

var reportURL = regexp.MustCompile(`/reports/([0-9a-f]{64})/?$`)

// Reports contains the reports of published versions.
type Reports interface {
	// Report returns one file of the reports with a digest. The error for a missing file matches
	// fs.ErrNotExist.
	Report(digest, name string) ([]byte, error)
}

// ReadLayers returns the layers of the images of a version by name. The result is empty if the version has no
// report of them.
func ReadLayers(reports Reports, version *v1alpha1.PublishedVersion) (map[string]images.ImageLayers, error) {
	digest := ReportDigest(version)
	if digest == "" {
		return nil, nil
	}
	report, err := reports.Report(digest, images.LayersReport)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := images.DecodeLayers(report)
	if err != nil {
		return nil, err
	}
	return images.LayersByName(list), nil
}

// ReportDigest returns the digest of the reports of a version, "" if the version has none.
func ReportDigest(version *v1alpha1.PublishedVersion) string {
	if version == nil {
		return ""
	}
	if found := reportURL.FindStringSubmatch(version.ReportURL); found != nil {
		return "sha256:" + found[1]
	}
	return ""
}
