package hydrate

import (
	"context"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/objects"
)

// Fetcher fetches the chart of an offer. Errors have a meaning in the sense of
// internal/outcome: a chart that does not exist or is too large is Stalled, an unavailable
// server is not.
type Fetcher interface {
	Fetch(ctx context.Context, offer Offer) (ChartContent, error)
}

// Renderer renders one chart unit with Helm's engine, within limits on CPU time, memory and
// output. If the chart fails or exceeds a limit, the error is Stalled with RenderFailed or
// LimitExceeded, and names the file and the line. If other values may help, the error is a
// ValuesError. If the values violate a schema, the error is Stalled with SchemaViolation.
// All other errors may be caused by the environment.
type Renderer interface {
	Render(ctx context.Context, in RenderInput) (Rendered, error)
}

// RenderInput contains a chart unit and the parameters of its rendering.
type RenderInput struct {
	// Files are the files of the unit, relative to its folder.
	Files []chart.File
	// Values are merged over the unit's values.yaml.
	Values map[string]any
	// Release and Namespace are the values of .Release.Name and .Release.Namespace.
	Release   string
	Namespace string
	// Cluster supplies the values of .Capabilities. If nil, defaults are used.
	Cluster *Capabilities
	// Upgrade is the value of .Release.IsUpgrade; .Release.IsInstall is the opposite.
	Upgrade bool
	// Revision is the value of .Release.Revision. Zero stands for the first revision.
	Revision int
	// Schemas specifies how to handle values that violate a schema.
	Schemas SchemaPolicy
	// Lookup implements the template function lookup. If nil, templates find no objects.
	Lookup Lookup
	// AnyOrder allows the documents in any order, which is faster.
	AnyOrder bool
	// ForRelease specifies that the result is used for a release: Rendered.Release is set,
	// and the kinds of CRDs that the installation creates count as available.
	ForRelease bool
}

// SchemaPolicy specifies how to handle values that violate the values.schema.json of a
// chart or of one of its dependencies.
type SchemaPolicy int

const (
	// SchemasEnforced makes the rendering fail.
	SchemasEnforced SchemaPolicy = iota
	// SchemasReported sets Rendered.Violation.
	SchemasReported
	// SchemasIgnored skips the validation.
	SchemasIgnored
)

// ValuesError is the error of a chart that may render with other values: a template called
// required or fail, or accessed a field of a value that does not exist.
type ValuesError struct{ Err error }

// Error returns the message of the cause.
func (e *ValuesError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ValuesError) Unwrap() error { return e.Err }

// Capabilities are the properties of a cluster that charts can query.
type Capabilities struct {
	// KubeVersion is the version of Kubernetes, such as "v1.36.0".
	KubeVersion string
	// APIVersions lists all API versions and kinds, such as "apps/v1" and
	// "apps/v1/Deployment".
	APIVersions []string
}

// Rendered is the result of rendering a chart unit.
type Rendered struct {
	// Documents are the non-empty YAML documents: the CRDs in crds/, then the manifests in
	// installation order, then the hooks.
	Documents []objects.Document
	// Notes is the rendered templates/NOTES.txt.
	Notes string
	// Violation lists the values that violate a schema. It is set only with
	// SchemasReported.
	Violation string
	// Release is set only if the result is used for a release.
	Release *ReleaseChart
	// Lookups is the number of objects that templates looked up.
	Lookups int
}

// ReleaseChart contains the chart in the form that a Helm release stores.
type ReleaseChart struct {
	// Record is the chart as JSON, including the values of its dependencies, as Helm stores
	// it.
	Record []byte
	// Files is a digest of the files of the chart.
	Files string
	// KubeVersion is the constraint on the Kubernetes version in Chart.yaml, or empty.
	KubeVersion string
}

// ManifestReader reads the files that describe an app in addition to Chart.yaml: the app
// manifest (OlaresManifest.yaml) and the price list (price.yaml).
type ManifestReader interface {
	// Templated reports whether the text is a Helm template that must be rendered before
	// Read. This is the case for olaresManifest.version below 0.12.0.
	Templated(text []byte) bool
	// Read parses a manifest that is not a template. Unsupported parts result in warnings
	// of the manifest. An error is Stalled with InvalidManifest.
	Read(text []byte) (*Manifest, error)
	// ReadPrice parses price.yaml, which is never a template. It returns nil for an app
	// that need not be purchased. An error is Stalled with InvalidManifest.
	ReadPrice(text []byte) (*License, error)
}

// Profile supplies the values that a platform adds to those configured in the source. The
// manifest is nil before it has been read and for a chart without one. The place is a
// parameter because paths on a node depend on it.
type Profile interface {
	Values(manifest *Manifest, at InstallTarget) map[string]any
}

// Inspector requests the details of an image from its registry. The reference must be one
// that images.NormalizeReference returns. If the registry does not have the image, the
// error is Stalled with ImageNotFound. If the registry denies access, the error matches
// images.ErrDenied. All other errors mean that the registry is not available.
type Inspector interface {
	Inspect(ctx context.Context, reference string) (images.Detail, error)
}

// Publisher publishes a chart in the repository. It is idempotent. Storage errors have the
// reason StorageFull, StorageReadOnly or StorageFailed.
type Publisher interface {
	Publish(ctx context.Context, p PublishRequest) (Published, error)
}

// Owner identifies the source in whose part of the repository a chart is published.
type Owner struct {
	Namespace string
	Source    string
}

// PublishRequest contains a chart and the reports that are published with it.
type PublishRequest struct {
	Owner   Owner
	App     string
	Version string
	// Chart is Chart.yaml as JSON. It is the body of the entry in index.yaml.
	Chart []byte
	// Archive is the packed chart, and Digest its digest in the form "sha256:<hex>".
	Archive []byte
	Digest  string
	// Reports maps file names, such as "values.yaml", to texts that are too long for an
	// object.
	Reports map[string][]byte
}

// Published contains the location of a publication.
type Published struct {
	// Digest is the digest of the archive in the form "sha256:<hex>".
	Digest string
	// Chart is the path of the archive relative to the root of the repository, and Report
	// the path of the folder with the reports. Neither has a leading slash.
	Chart  string
	Report string
}
