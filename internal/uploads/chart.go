package uploads

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

const (
	recordFormat  = 1
	recordSuffix  = ".json"
	archiveSuffix = ".tgz"
	// maxNameBytes and maxVersionBytes bound the name and the version of a chart, which become
	// part of names of objects and files.
	maxNameBytes, maxVersionBytes = 200, 128
	maxAppVersionBytes            = 256
	maxRecordBytes                = 16 << 10
)

// Blob is content by its digest, "sha256:<hex>".
type Blob struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// Chart is one uploaded version of an app.
type Chart struct {
	App        string `json:"app"`
	Version    string `json:"version"`
	AppVersion string `json:"appVersion,omitempty"`
	Deprecated bool   `json:"deprecated,omitempty"`
	// Created is the time at which the archive was uploaded, in whole seconds.
	Created time.Time `json:"created"`
	Archive Blob      `json:"archive"`
	// Manifest and Config describe the archive as an OCI artifact, and Provenance is its signature.
	Manifest   Blob  `json:"manifest"`
	Config     Blob  `json:"config"`
	Provenance *Blob `json:"provenance,omitempty"`
}

// FileName returns the name of the archive, as "helm package" names it.
func (c Chart) FileName() string { return c.App + "-" + c.Version + archiveSuffix }

// blobs returns all content of a chart.
func (c Chart) blobs() []Blob {
	blobs := []Blob{c.Archive, c.Config, c.Manifest}
	if c.Provenance != nil {
		blobs = append(blobs, *c.Provenance)
	}
	return blobs
}

// record is the content of the file of a chart.
type record struct {
	Format int `json:"format"`
	Chart
}

// encodeChart returns the content of the file of a chart.
func encodeChart(c Chart) ([]byte, error) {
	data, err := json.Marshal(record{Format: recordFormat, Chart: c})
	if err != nil {
		return nil, fmt.Errorf("encode chart: %w", err)
	}
	return data, nil
}

// decodeChart returns the chart of a file with the given app and version in its path.
func decodeChart(app, version string, data []byte) (Chart, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return Chart{}, fmt.Errorf("decode record: %w", err)
	}
	if r.Format != recordFormat || r.App != app || r.Version != version {
		return Chart{}, fmt.Errorf("decode record: not a record of version %q", version)
	}
	for _, b := range r.blobs() {
		if !digestPattern.MatchString(b.Digest) {
			return Chart{}, fmt.Errorf("decode record: invalid digest")
		}
	}
	return r.Chart, nil
}

// digestPattern is the only form of digest that becomes part of a path.
var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// IsDigest reports whether a text is a digest that a store supports.
func IsDigest(digest string) bool { return digestPattern.MatchString(digest) }

// CheckOwner returns an error if no MarketSource can have the namespace and the name.
func CheckOwner(owner hydrate.Owner) error {
	for _, name := range []string{owner.Namespace, owner.Source} {
		if len(validation.IsDNS1123Label(name)) > 0 {
			return fmt.Errorf("%q is not the name of a namespace or source", text.Truncate(name, validation.DNS1123LabelMaxLength))
		}
	}
	return nil
}

// checkNames returns an error if a chart cannot be an app because of its name or version.
// Versions are strict, so that one version has one spelling.
func checkNames(app, version string) error {
	if !isAppName(app) {
		return outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf(
			"Chart.yaml: name: Invalid value: %q: must consist of at most %d lowercase letters, digits, '-' and '.'", text.Truncate(app, maxNameBytes), maxNameBytes))
	}
	if !isVersion(version) {
		return outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf(
			"Chart.yaml: version: Invalid value: %q: must be a semantic version such as 1.2.3, of at most %d characters",
			text.Truncate(version, maxVersionBytes), maxVersionBytes))
	}
	return nil
}

func isAppName(app string) bool {
	return len(app) <= maxNameBytes && len(validation.IsDNS1123Subdomain(app)) == 0
}

func isVersion(version string) bool {
	_, err := semver.StrictNewVersion(version)
	return err == nil && len(version) <= maxVersionBytes
}

// splitFileName returns every app and version that the name of an archive can stand for: both
// can contain hyphens.
func splitFileName(file string) []Chart {
	name, isArchive := strings.CutSuffix(file, archiveSuffix)
	if !isArchive || len(name) > maxNameBytes+1+maxVersionBytes {
		return nil
	}
	var found []Chart
	for i := range name {
		if name[i] == '-' && isAppName(name[:i]) && isVersion(name[i+1:]) {
			found = append(found, Chart{App: name[:i], Version: name[i+1:]})
		}
	}
	return found
}

func sourceFolder(owner hydrate.Owner) string {
	return path.Join(chartsFolder, owner.Namespace, owner.Source)
}

func recordsFolder(owner hydrate.Owner) string { return path.Join(sourceFolder(owner), "records") }

func recordPath(owner hydrate.Owner, app, version string) string {
	return path.Join(recordsFolder(owner), app, version+recordSuffix)
}

func blobsFolder(owner hydrate.Owner) string { return path.Join(sourceFolder(owner), "blobs") }

func blobPath(owner hydrate.Owner, digest string) string {
	return path.Join(blobsFolder(owner), strings.TrimPrefix(digest, "sha256:"))
}
