package hydrate

import (
	"context"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/objects"
)

// Fetcher brings the chart of an offer. Errors are marked by internal/outcome:
// what does not exist or is too large is stalled, a server that is down is not.
type Fetcher interface {
	Fetch(ctx context.Context, offer Offer) (Payload, error)
}

// Renderer renders one chart unit with Helm's engine, within bounds of processor
// time, memory and output. A chart that fails or exceeds a bound is stalled with
// RenderFailed or LimitExceeded, and the error names file and line. Where other
// values may help, the error is a ValuesError. Values that do not meet a schema are
// stalled with SchemaViolation. Any other error may be the fault of the machine.
type Renderer interface {
	Render(ctx context.Context, in RenderInput) (Rendered, error)
}

// RenderInput is one chart unit and what it is rendered with.
type RenderInput struct {
	// Files are those of the unit, Chart.yaml at the top.
	Files []chart.File
	// Values are merged over the unit's own values.yaml.
	Values map[string]any
	// Release and Namespace are what .Release.Name and .Release.Namespace say.
	Release   string
	Namespace string
	// Cluster is what .Capabilities says of the cluster; nil stands for a usual one.
	Cluster *Capabilities
	// Upgrade says that .Release.IsUpgrade holds, and not .Release.IsInstall.
	Upgrade bool
	// Revision is what .Release.Revision says; zero stands for the first.
	Revision int
	// Schemas says what becomes of values that do not meet a schema.
	Schemas SchemaPolicy
	// Lookup answers the function lookup of templates; without it they find nothing.
	Lookup Lookup
	// AnyOrder says that the documents may come in any order, which is found sooner.
	AnyOrder bool
	// ForRelease says that a release is made of what is rendered: Rendered.Release is
	// set, and the kinds of CRDs that an installation creates first count as there.
	ForRelease bool
}

// SchemaPolicy says what becomes of values that do not meet values.schema.json of a
// chart or of one of its dependencies.
type SchemaPolicy int

const (
	// SchemasEnforced fails the rendering.
	SchemasEnforced SchemaPolicy = iota
	// SchemasReported sets Rendered.Violation.
	SchemasReported
	// SchemasIgnored checks nothing.
	SchemasIgnored
)

// ValuesError is the failure of a chart that may render with other values: a template
// asked for a value by required, failed by fail, or looked for a value below one that
// is not there.
type ValuesError struct{ Err error }

// Error returns the text of the cause.
func (e *ValuesError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ValuesError) Unwrap() error { return e.Err }

// Capabilities are what charts ask about a cluster.
type Capabilities struct {
	// KubeVersion is the version of Kubernetes, such as "v1.36.0".
	KubeVersion string
	// APIVersions are all that it serves: "apps/v1" and "apps/v1/Deployment".
	APIVersions []string
}

// Rendered is what a chart unit renders to.
type Rendered struct {
	// Documents are the non-empty YAML documents in install order, hooks after
	// them, CRDs of crds/ before them.
	Documents []objects.Document
	// Notes is the text of templates/NOTES.txt.
	Notes string
	// Violation says which values do not meet a schema, if they were only to be
	// reported.
	Violation string
	// Release is what else a release is made of, if one is.
	Release *ReleaseChart
	// Lookups counts the objects that templates have asked for.
	Lookups int
}

// ReleaseChart is a chart as the record of a release holds it.
type ReleaseChart struct {
	// Record is the chart in JSON, with the values of its dependencies taken in, as Helm
	// records it.
	Record []byte
	// Files is a digest over the files of the chart.
	Files string
	// KubeVersion is the constraint of Chart.yaml on the version of Kubernetes, empty if
	// there is none.
	KubeVersion string
}

// ManifestReader reads what describes an app beside its chart: the app manifest
// (OlaresManifest.yaml) and the price list (price.yaml).
type ManifestReader interface {
	// Templated reports whether the text is itself a Helm template that must be
	// rendered before Read: those below olaresManifest.version 0.12.0.
	Templated(text []byte) bool
	// Read decodes a literal manifest. What is not understood becomes a warning
	// of the manifest; an error is stalled with InvalidManifest.
	Read(text []byte) (*Manifest, error)
	// ReadPrice decodes price.yaml, which is never a template. It is nil for an
	// app that need not be bought; an error is stalled with InvalidManifest.
	ReadPrice(text []byte) (*License, error)
}

// Profile gives the values that a platform supplies to a chart beyond what the
// market keeper configured. The manifest may be nil: before it was read, or for
// a chart that has none. What is kept on a node differs from place to place.
type Profile interface {
	Values(manifest *Manifest, at Place) map[string]any
}

// Inspector asks a registry about an image. The reference is one that
// ImageReference accepted. An image that the registry does not have is stalled
// with ImageNotFound; any other error means that the registry did not answer.
type Inspector interface {
	Inspect(ctx context.Context, reference string) (images.Detail, error)
}

// Publisher puts a finished chart into the repository. Publishing the same thing
// again changes nothing. Errors carry StorageFull, StorageReadOnly or
// StorageFailed.
type Publisher interface {
	Publish(ctx context.Context, p Publication) (Published, error)
}

// Owner is the source in whose part of the repository a chart is published.
type Owner struct {
	Namespace string
	Source    string
}

// Publication is a chart with what the repository keeps beside it.
type Publication struct {
	Owner   Owner
	App     string
	Version string
	// Chart is Chart.yaml as JSON, the body of the chart's entry in index.yaml.
	Chart []byte
	// Archive is the packed chart; Digest is "sha256:<hex>" of it.
	Archive []byte
	Digest  string
	// Reports are the long texts, by file name such as "values.yaml".
	Reports map[string][]byte
}

// Published says where a publication can be had.
type Published struct {
	// Digest is "sha256:<hex>" of the archive.
	Digest string
	// Chart is the path of the archive below the root of the repository, and
	// Report that of the folder of the reports; both without a leading slash.
	Chart  string
	Report string
}
