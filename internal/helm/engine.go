package helm

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

// DefaultKubeVersion is what .Capabilities.KubeVersion says when nothing else is
// configured: the newest Kubernetes that the operator is tested with.
const DefaultKubeVersion = "v1.36.0"

// Engine renders chart units in this process, as `helm template` does, or as
// `helm install` does where the input has a Lookup. It is for worker processes: time and memory have no bound here. The zero value is ready to use.
type Engine struct {
	// KubeVersion is the version of Kubernetes to render for where the input names no
	// cluster, DefaultKubeVersion if empty. Whether the chart's kubeVersion admits it
	// is not asked: that is between the chart and a real cluster.
	KubeVersion string
	// APIVersions are then offered in .Capabilities beside those that Helm and
	// client-go know.
	APIVersions []string
}

var _ hydrate.Renderer = Engine{}

// Render renders one chart unit. Every error but that of ctx is stalled, with
// RenderFailed, InvalidValues, SchemaViolation or LimitExceeded.
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
	violation, err := violationOf(unit, values, in.Schemas)
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
		return splitAnyhow(unit, texts), nil
	}
	out, err := split(unit, texts)
	if err != nil {
		return hydrate.Rendered{}, outcome.Stalled(v1alpha1.ReasonRenderFailed, explain(unit.Name(), err))
	}
	out.Violation, out.Lookups = violation, lookups.count
	if in.ForRelease {
		out.Release, err = releaseChart(unit, in.Files)
	}
	return out, err
}

// releaseChart is a chart as it is recorded, its dependencies processed.
func releaseChart(unit *chart.Chart, files []chartfiles.File) (*hydrate.ReleaseChart, error) {
	record, err := json.Marshal(unit)
	if err != nil {
		return nil, fmt.Errorf("encode chart: %w", err)
	}
	return &hydrate.ReleaseChart{Record: record, Files: chartfiles.TreeDigest(files), KubeVersion: unit.Metadata.KubeVersion}, nil
}

// mistyped is how Helm speaks of a value that stands where those of a dependency go.
var mistyped = regexp.MustCompile(`^type mismatch on ([^:]+): `)

// renderValues gives what templates see, after the dependencies of the unit were
// processed.
func (e Engine) renderValues(unit *chart.Chart, in hydrate.RenderInput) (chartutil.Values, error) {
	capabilities, err := e.capabilities(in.Cluster)
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

// violationOf checks what the templates of a unit see against its schemas. Where it
// is only to be reported, so is a schema that is no schema.
func violationOf(unit *chart.Chart, values chartutil.Values, policy hydrate.SchemaPolicy) (string, error) {
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

// brokenTemplate is what an error says of a template that fails with any values: it
// cannot be parsed, is not there, or includes itself without end.
var brokenTemplate = regexp.MustCompile(`^parse error |no template "|nested reference name`)

// templateError explains an error of the engine.
func templateError(chartName string, err error) error {
	explained := explain(chartName, err)
	if brokenTemplate.MatchString(err.Error()) {
		return explained
	}
	return &hydrate.ValuesError{Err: explained}
}

// capabilities are those of the cluster given, or of a usual one.
func (e Engine) capabilities(of *hydrate.Capabilities) (*chartutil.Capabilities, error) {
	given := of != nil
	if !given {
		of = e.usual()
	}
	version, err := chartutil.ParseKubeVersion(of.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("read kubernetes version %q: %w", of.KubeVersion, err)
	}
	if given {
		version.Version = of.KubeVersion // with what its vendor has put behind it
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion, capabilities.APIVersions = *version, of.APIVersions
	return capabilities, nil
}

func (e Engine) usual() *hydrate.Capabilities {
	return &hydrate.Capabilities{
		KubeVersion: cmp.Or(e.KubeVersion, DefaultKubeVersion),
		APIVersions: slices.Concat(chartutil.DefaultVersionSet, usualKinds(), e.APIVersions),
	}
}

// usualKinds are the kinds of Kubernetes, as a cluster lists them. Helm knows only
// the groups they are in, and charts ask for "networking.k8s.io/v1/Ingress".
var usualKinds = sync.OnceValue(func() []string {
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

// notes takes the NOTES.txt of all charts out of texts and returns that of the
// unit itself, as Helm shows it.
func notes(unit *chart.Chart, texts map[string]string) string {
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
