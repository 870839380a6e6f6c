package bench_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/source"
)

// recordingEngine is an engine that records the inputs that it renders.
type recordingEngine struct {
	render.Engine
	inputs []hydrate.RenderInput
}

func (e *recordingEngine) Render(ctx context.Context, in hydrate.RenderInput) (hydrate.Rendered, error) {
	e.inputs = append(e.inputs, in)
	return e.Engine.Render(ctx, in)
}

// renderCatalog is a child that performs only the work of `helm template` for all charts of a
// folder: load, render and sort, from files in memory, sequentially. A first pass, which is not
// measured, records the inputs.
func renderCatalog(folder string) (int, time.Duration, error) {
	asked, err := recordInputs(folder)
	if err != nil {
		return 0, 0, err
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	version, err := chartutil.ParseKubeVersion(render.DefaultKubeVersion)
	if err != nil {
		return 0, 0, err
	}
	capabilities.KubeVersion = *version
	begin := time.Now()
	for _, in := range asked {
		if err := renderOne(in, capabilities); err != nil {
			return 0, 0, fmt.Errorf("render %s: %w", in.Release, err)
		}
	}
	return len(asked), time.Since(begin), nil
}

func renderOne(in hydrate.RenderInput, capabilities *chartutil.Capabilities) error {
	files := make([]*loader.BufferedFile, 0, len(in.Files))
	for _, f := range in.Files {
		files = append(files, &loader.BufferedFile{Name: f.Name, Data: f.Data})
	}
	chart, err := loader.LoadFiles(files)
	if err != nil {
		return err
	}
	if err := chartutil.ProcessDependenciesWithMerge(chart, in.Values); err != nil {
		return err
	}
	release := chartutil.ReleaseOptions{Name: in.Release, Namespace: in.Namespace, Revision: 1, IsInstall: true}
	values, err := chartutil.ToRenderValuesWithSchemaValidation(chart, in.Values, release, capabilities, true)
	if err != nil {
		return err
	}
	texts, err := engine.Engine{}.Render(chart, values)
	if err != nil {
		return err
	}
	maps.DeleteFunc(texts, func(name, _ string) bool { return strings.HasSuffix(name, "NOTES.txt") })
	_, _, err = releaseutil.SortManifests(texts, nil, releaseutil.InstallOrder)
	return err
}

// recordInputs runs the first two hydration steps for every app of a folder and returns the rendered
// inputs.
func recordInputs(folder string) ([]hydrate.RenderInput, error) {
	ctx := context.Background()
	from, err := source.Open(source.Config{Directory: &source.DirectoryConfig{Path: folder, AllowedRoots: []string{folder}}})
	if err != nil {
		return nil, err
	}
	listing, err := from.List(ctx, hydrate.Cursor{})
	if err != nil {
		return nil, err
	}
	r := &recordingEngine{}
	pipeline := hydrate.Pipeline{Steps: []hydrate.Step{
		hydrate.SourceChart{}, hydrate.RenderedChart{Renderer: r, Reader: olares.Reader{}},
	}}
	for _, app := range listing.Apps {
		draft := &hydrate.Draft{Request: hydrate.Request{
			Owner: hydrate.Owner{Namespace: marketNamespace, Source: "catalog"},
			App:   app.Name, Offer: app.Offers[0], Source: from, Profile: olares.Profile{},
		}}
		if err := pipeline.Run(ctx, draft); err != nil {
			return nil, fmt.Errorf("hydrate %s: %w", app.Name, err)
		}
	}
	return r.inputs, nil
}
