package helm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
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
	"github.com/appmarket/operator/internal/outcome"
)

// DefaultKubeVersion is what .Capabilities.KubeVersion says when nothing else is
// configured: the newest Kubernetes that the operator is tested with.
const DefaultKubeVersion = "v1.36.0"

// Engine renders chart units in this process, as `helm template` does: lookup
// gives nothing, no schema is checked (hydrate does that). Time and memory have
// no bound here; Sandbox adds them. The zero value is ready to use.
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
// RenderFailed or LimitExceeded.
func (e Engine) Render(ctx context.Context, in hydrate.RenderInput) (hydrate.Rendered, error) {
	if err := ctx.Err(); err != nil {
		return hydrate.Rendered{}, err
	}
	unit, err := loadUnit(in.Files)
	if err != nil {
		return hydrate.Rendered{}, outcome.Stalled(v1alpha1.ReasonRenderFailed, err)
	}
	texts, err := e.execute(unit, in)
	if err != nil {
		return hydrate.Rendered{}, outcome.Stalled(v1alpha1.ReasonRenderFailed, explain(unit.Name(), err))
	}
	if err := checkSize(unit, texts); err != nil {
		return hydrate.Rendered{}, outcome.Stalled(v1alpha1.ReasonLimitExceeded, err)
	}
	out, err := split(unit, texts)
	if err != nil {
		return hydrate.Rendered{}, outcome.Stalled(v1alpha1.ReasonRenderFailed, explain(unit.Name(), err))
	}
	return out, nil
}

// execute gives the text of every template by its path.
func (e Engine) execute(unit *chart.Chart, in hydrate.RenderInput) (map[string]string, error) {
	capabilities, err := e.capabilities(in.Cluster)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependenciesWithMerge(unit, in.Values); err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{
		Name: in.Release, Namespace: in.Namespace, Revision: max(in.Revision, 1),
		IsInstall: !in.Upgrade, IsUpgrade: in.Upgrade,
	}
	values, err := chartutil.ToRenderValuesWithSchemaValidation(unit, in.Values, release, capabilities, true)
	if err != nil {
		return nil, err
	}
	return engine.Engine{}.Render(unit, values)
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
	if total > hydrate.MaxRenderedBytes {
		return fmt.Errorf("render chart: %d bytes of output, at most %d are allowed", total, hydrate.MaxRenderedBytes)
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

var errLibrary = errors.New("chart is a library, of no use but as a dependency of another chart")
