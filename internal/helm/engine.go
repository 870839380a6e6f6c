package helm

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"

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
	// KubeVersion is the version of Kubernetes to render for, DefaultKubeVersion
	// if empty. A chart whose kubeVersion does not admit it is stalled.
	KubeVersion string
	// APIVersions are offered in .Capabilities beside those that Helm knows.
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
	capabilities, err := e.capabilities()
	if err != nil {
		return nil, err
	}
	if wanted := unit.Metadata.KubeVersion; wanted != "" &&
		!chartutil.IsCompatibleRange(wanted, capabilities.KubeVersion.String()) {
		return nil, fmt.Errorf("chart is for kubernetes %q and this is %s", wanted, capabilities.KubeVersion.String())
	}
	if err := chartutil.ProcessDependenciesWithMerge(unit, in.Values); err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: in.Release, Namespace: in.Namespace, Revision: 1, IsInstall: true}
	values, err := chartutil.ToRenderValuesWithSchemaValidation(unit, in.Values, release, capabilities, true)
	if err != nil {
		return nil, err
	}
	return engine.Engine{}.Render(unit, values)
}

func (e Engine) capabilities() (*chartutil.Capabilities, error) {
	wanted := e.KubeVersion
	if wanted == "" {
		wanted = DefaultKubeVersion
	}
	version, err := chartutil.ParseKubeVersion(wanted)
	if err != nil {
		return nil, fmt.Errorf("read kubernetes version %q: %w", wanted, err)
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	capabilities.APIVersions = append(capabilities.APIVersions, e.APIVersions...)
	return capabilities, nil
}

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
