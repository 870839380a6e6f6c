package render

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	chartfiles "github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// DefaultKubeVersion is the default of .Capabilities.KubeVersion. It is the newest version of
// Kubernetes with which the operator is tested.
const DefaultKubeVersion = "v1.36.0"

// Engine renders chart units in the calling process, as `helm template` does, or as `helm install`
// does if the input has a Lookup. Use it in worker processes: it does not bound time and memory.
// The zero value is ready to use.
type Engine struct {
	// KubeVersion is the version of Kubernetes for inputs that specify no cluster. Defaults to
	// DefaultKubeVersion. The kubeVersion constraint of the chart is not checked, because it
	// concerns the real cluster.
	KubeVersion string
	// APIVersions are added to .Capabilities.APIVersions for such inputs, in addition to the
	// versions that Helm and client-go know.
	APIVersions []string
}

var _ hydrate.Renderer = Engine{}

// Render renders one chart unit. Every error except ctx.Err and an error of the Lookup is stalled,
// with the reason RenderFailed, InvalidValues, SchemaViolation or LimitExceeded.
func (e Engine) Render(ctx context.Context, in hydrate.RenderInput) (hydrate.Rendered, error) {
	if err := ctx.Err(); err != nil {
		return hydrate.Rendered{}, err
	}
	unit, err := loadUnit(in.Files)
	if err != nil {
		return hydrate.Rendered{}, outcome.Stalled(v1alpha1.ReasonRenderFailed, err)
	}
	values, err := e.renderValues(unit, in)
	if err != nil {
		return hydrate.Rendered{}, err
	}
	violation, err := schemaViolation(unit, values, in.Schemas)
	if err != nil {
		return hydrate.Rendered{}, err
	}
	lookups := &lookups{answer: in.Lookup}
	texts, err := engine.RenderWithClientProvider(unit, values, lookups)
	if lookups.failed != nil {
		return hydrate.Rendered{}, lookups.failed
	}
	if err != nil {
		return hydrate.Rendered{}, outcome.Stalled(v1alpha1.ReasonRenderFailed, templateError(unit.Name(), err))
	}
	if err := checkSize(unit, texts); err != nil {
		return hydrate.Rendered{}, outcome.Stalled(v1alpha1.ReasonLimitExceeded, err)
	}
	if in.AnyOrder {
		return splitUnsorted(unit, texts), nil
	}
	out, err := splitRendered(unit, texts)
	if err != nil {
		return hydrate.Rendered{}, outcome.Stalled(v1alpha1.ReasonRenderFailed, explainTemplateError(unit.Name(), err))
	}
	out.Violation, out.Lookups = violation, lookups.count
	if in.ForRelease {
		out.Release, err = releaseChart(unit, in.Files)
	}
	return out, err
}

// releaseChart returns a chart in the form in which it is recorded, with processed dependencies.
func releaseChart(unit *chart.Chart, files []chartfiles.File) (*hydrate.ReleaseChart, error) {
	record, err := json.Marshal(unit)
	if err != nil {
		return nil, fmt.Errorf("encode chart: %w", err)
	}
	return &hydrate.ReleaseChart{Record: record, Files: chartfiles.TreeDigest(files), KubeVersion: unit.Metadata.KubeVersion}, nil
}

// mistyped matches the error of Helm for a value that should be the map of values of a dependency.
var mistyped = regexp.MustCompile(`^type mismatch on ([^:]+): `)

// renderValues processes the dependencies of the unit and returns the values for its templates.
func (e Engine) renderValues(unit *chart.Chart, in hydrate.RenderInput) (chartutil.Values, error) {
	capabilities, err := e.capabilitiesFor(in.Cluster)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonRenderFailed, err)
	}
	if in.ForRelease && !in.Upgrade {
		capabilities.APIVersions = slices.Concat(capabilities.APIVersions, definedKinds(unit))
	}
	release := chartutil.ReleaseOptions{
		Name: in.Release, Namespace: in.Namespace, Revision: max(in.Revision, 1),
		IsInstall: !in.Upgrade, IsUpgrade: in.Upgrade,
	}
	err = chartutil.ProcessDependenciesWithMerge(unit, in.Values)
	var values chartutil.Values
	if err == nil {
		values, err = chartutil.ToRenderValuesWithSchemaValidation(unit, in.Values, release, capabilities, true)
	}
	if err != nil {
		text := oneLine(err.Error())
		if m := mistyped.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("%s: must be a map of keys to values, since it holds the values of the chart %q", m[1], m[1])
		}
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidValues, errors.New(text))
	}
	return values, nil
}

// schemaViolation checks the values of a unit against its schemas. If violations are only reported, an
// invalid schema is reported as well.
func schemaViolation(unit *chart.Chart, values chartutil.Values, policy hydrate.SchemaPolicy) (string, error) {
	seen, ok := values["Values"].(chartutil.Values)
	if policy == hydrate.SchemasIgnored || !ok {
		return "", nil
	}
	err := checkSchemas(unit, seen)
	if err != nil && policy == hydrate.SchemasReported {
		return err.Error(), nil
	}
	return "", err
}

// brokenTemplate matches the error of a template that fails with any values: the template cannot be
// parsed, does not exist, or includes itself indefinitely.
var brokenTemplate = regexp.MustCompile(`^parse error |no template "|nested reference name`)

// templateError explains an error of the engine.
func templateError(chartName string, err error) error {
	explained := explainTemplateError(chartName, err)
	if brokenTemplate.MatchString(err.Error()) {
		return explained
	}
	return &hydrate.ValuesError{Err: explained}
}

// capabilitiesFor returns the given capabilities, or the capabilities of a typical cluster if of is
// nil.
func (e Engine) capabilitiesFor(of *hydrate.Capabilities) (*chartutil.Capabilities, error) {
	given := of != nil
	if !given {
		of = e.defaultCapabilities()
	}
	version, err := chartutil.ParseKubeVersion(of.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("read kubernetes version %q: %w", of.KubeVersion, err)
	}
	if given {
		version.Version = of.KubeVersion // including the suffix of the vendor
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion, capabilities.APIVersions = *version, of.APIVersions
	return capabilities, nil
}

func (e Engine) defaultCapabilities() *hydrate.Capabilities {
	return &hydrate.Capabilities{
		KubeVersion: cmp.Or(e.KubeVersion, DefaultKubeVersion),
		APIVersions: slices.Concat(chartutil.DefaultVersionSet, defaultKinds(), e.APIVersions),
	}
}

// defaultKinds returns the built-in kinds of Kubernetes in the format of a cluster. Helm knows only
// their groups, but charts check for "networking.k8s.io/v1/Ingress".
var defaultKinds = sync.OnceValue(func() []string {
	var all []string
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if gvk.Version != runtime.APIVersionInternal {
			all = append(all, gvk.GroupVersion().String()+"/"+gvk.Kind)
		}
	}
	slices.Sort(all)
	return all
})

func checkSize(unit *chart.Chart, texts map[string]string) error {
	total := 0
	for _, text := range texts {
		total += len(text)
	}
	for _, crd := range unit.CRDObjects() {
		total += len(crd.File.Data)
	}
	if total > chartfiles.MaxRenderedBytes {
		return fmt.Errorf("render chart: %d bytes of output, at most %d are allowed", total, chartfiles.MaxRenderedBytes)
	}
	return nil
}

// extractNotes removes the NOTES.txt files of all charts from texts and returns the file of the unit
// itself, as Helm does.
func extractNotes(unit *chart.Chart, texts map[string]string) string {
	const name = "NOTES.txt"
	own := texts[path.Join(unit.Name(), "templates", name)]
	for file := range texts {
		if strings.HasSuffix(file, name) {
			delete(texts, file)
		}
	}
	return own
}

var errLibrary = errors.New("the chart is a library: it has no objects of its own; install an app whose chart depends on it")
