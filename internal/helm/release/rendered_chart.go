package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

// renderedChart is a chart that was rendered in another process. The templates that Helm gets contain
// only text without actions, so that no template of the app runs in this process.
type renderedChart struct {
	text *chart.Chart
	// original is the chart that is stored in the record of the release.
	original *chart.Chart
	// files is the digest of the files of the original chart.
	files string
}

// renderChart renders the chart of a spec for the next revision.
func renderChart(ctx context.Context, spec plain.Spec, history []*release.Release) (*renderedChart, error) {
	if spec.Render == nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInstallFailed, errors.New("no chart is given"))
	}
	// Like Helm, render the first revision for an installation that replaces a failed one.
	var revision hydrate.ReleaseRevision
	if hasBeenDeployed(history) {
		revision = hydrate.ReleaseRevision{Upgrade: true, Number: history[len(history)-1].Version + 1}
	}
	out, err := spec.Render(ctx, revision)
	if err != nil {
		return nil, err
	}
	return newRenderedChart(out)
}

// newRenderedChart builds a chart from rendered documents. Its files have the names of the templates from
// which the documents were rendered.
func newRenderedChart(out *hydrate.Rendered) (*renderedChart, error) {
	original := &chart.Chart{}
	if err := json.Unmarshal(out.Release.Record, original); err != nil {
		return nil, fmt.Errorf("read chart of the release: %w", err)
	}
	if original.Metadata == nil {
		return nil, errors.New("read chart of the release: it has no metadata")
	}
	metadata := *original.Metadata
	metadata.Dependencies = nil
	made := &renderedChart{text: &chart.Chart{Metadata: &metadata}, original: original, files: out.Release.Files}
	files := map[string]*chart.File{}
	for _, doc := range out.Documents {
		name := strings.TrimPrefix(doc.Path, original.Name()+"/")
		if known, ok := files[name]; ok {
			known.Data = append(append(known.Data, "\n---\n"...), escapeTemplate(doc.Text)...)
			continue
		}
		file := &chart.File{Name: name, Data: []byte(escapeTemplate(doc.Text))}
		files[name] = file
		if !objects.IsCRDFile(doc.Path) {
			made.text.Templates = append(made.text.Templates, file)
			continue
		}
		// Helm reads the CRDs of a chart and of all its dependencies together.
		file.Name, file.Data = "crds/"+name, []byte(doc.Text)
		made.text.Files = append(made.text.Files, file)
	}
	made.text.Templates = append(made.text.Templates, &chart.File{Name: "templates/NOTES.txt", Data: []byte(escapeTemplate(out.Notes))})
	return made, nil
}

// escapeTemplate returns a template that renders to the text.
func escapeTemplate(text string) string { return strings.ReplaceAll(text, "{{", `{{"{{"}}`) }
