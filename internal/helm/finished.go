package helm

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
)

// finished is a chart that was rendered elsewhere. Helm is given text, a chart whose
// templates hold no actions, so that no template of the app runs in this process.
type finished struct {
	text *chart.Chart
	// original is what the record of the release holds.
	original *chart.Chart
	// files is a digest over the files of the original.
	files string
}

// render has the chart of a spec rendered for the revision that comes next.
func render(ctx context.Context, spec Spec, history []*release.Release) (*finished, error) {
	if spec.Render == nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInstallFailed, errors.New("no chart is given"))
	}
	// An installation over one that failed is rendered as the first revision, as by Helm.
	var revision hydrate.ReleaseRevision
	if everDeployed(history) {
		revision = hydrate.ReleaseRevision{Upgrade: true, Number: history[len(history)-1].Version + 1}
	}
	out, err := spec.Render(ctx, revision)
	if err != nil {
		return nil, err
	}
	return finish(out)
}

// finish makes a chart of what another one was rendered to. Its files have the names of
// those that they were rendered from.
func finish(out *hydrate.Rendered) (*finished, error) {
	original := &chart.Chart{}
	if err := json.Unmarshal(out.Release.Record, original); err != nil {
		return nil, fmt.Errorf("read chart of the release: %w", err)
	}
	if original.Metadata == nil {
		return nil, errors.New("read chart of the release: it has no metadata")
	}
	metadata := *original.Metadata
	metadata.Dependencies = nil
	made := &finished{text: &chart.Chart{Metadata: &metadata}, original: original, files: out.Release.Files}
	files := map[string]*chart.File{}
	for _, doc := range out.Documents {
		name := strings.TrimPrefix(doc.Path, original.Name()+"/")
		if known, ok := files[name]; ok {
			known.Data = append(append(known.Data, "\n---\n"...), inert(doc.Text)...)
			continue
		}
		file := &chart.File{Name: name, Data: []byte(inert(doc.Text))}
		files[name] = file
		if !objects.IsCRDFile(doc.Path) {
			made.text.Templates = append(made.text.Templates, file)
			continue
		}
		// Helm takes the definitions of a chart and of all its dependencies at once.
		file.Name, file.Data = "crds/"+name, []byte(doc.Text)
		made.text.Files = append(made.text.Files, file)
	}
	made.text.Templates = append(made.text.Templates, &chart.File{Name: "templates/NOTES.txt", Data: []byte(inert(out.Notes))})
	return made, nil
}

// inert is a template that gives the text.
func inert(text string) string { return strings.ReplaceAll(text, "{{", `{{"{{"}}`) }
