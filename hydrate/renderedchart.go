package hydrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/outcome"
)

// ManifestFile is the name of the file that describes an app in more detail than Chart.yaml.
const ManifestFile = "OlaresManifest.yaml"

// RenderedChart reads the app manifest, if there is one, and renders every chart unit with
// the platform values of the source.
//
// In hydration, a chart that requires values from the user does not fail: the unit records
// the reason. It fails if the values are missing in an installation. A library chart has no
// objects; it is published for other charts and cannot be installed.
type RenderedChart struct {
	Renderer Renderer
	Reader   AppReader
}

// Name returns StepRenderedChart.
func (RenderedChart) Name() Name { return StepRenderedChart }

// Apply sets Manifest, License, Inputs, InputWarnings, Translations and Units.
func (s RenderedChart) Apply(ctx context.Context, d *Draft) error {
	manifest, err := s.ReadManifest(ctx, d)
	if err != nil {
		return err
	}
	license, err := s.readLicense(d)
	if err != nil {
		return err
	}
	units, err := ListUnits(d.Chart.Name, d.Files, manifest)
	if err != nil {
		return err
	}
	if units, err = d.Request.At.unitsFor(units, manifest); err != nil {
		return err
	}
	values := d.Request.platformValues(manifest)
	for i := range units {
		units[i].Values = values
		if d.isLibrary() {
			continue
		}
		if err := units[i].renderUnit(ctx, s.Renderer, d, d.Files); err != nil {
			return err
		}
	}
	d.Manifest, d.License, d.Units = manifest, license, units
	d.Inputs, d.InputWarnings = s.ReadInputs(d, manifest)
	if d.Request.At == (InstallTarget{}) {
		d.Translations = readTranslations(s.Reader, d.Files, d.Chart)
	}
	return nil
}

// ReadManifest returns the app manifest of the draft. A manifest in the old format is rendered
// first. The result is nil for a chart without a manifest.
func (s RenderedChart) ReadManifest(ctx context.Context, d *Draft) (*Manifest, error) {
	text, ok := d.FindFile(ManifestFile)
	if !ok {
		return nil, nil
	}
	if s.Reader.Templated(text) {
		var err error
		if text, err = s.renderManifest(ctx, d, text); err != nil {
			return nil, err
		}
	}
	manifest, err := s.Reader.Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	if manifest.Name != d.Chart.Name {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidManifest, fmt.Errorf(
			"%s: metadata.name: Invalid value: %q: must be the name %q of the chart", ManifestFile, manifest.Name, d.Chart.Name))
	}
	return manifest, nil
}

// renderManifest renders a manifest in the old format. It is rendered as the NOTES.txt of
// an otherwise empty chart, the only text that Helm does not parse as an object.
func (s RenderedChart) renderManifest(ctx context.Context, d *Draft, text []byte) ([]byte, error) {
	const notes = "templates/NOTES.txt"
	meta, _ := d.FindFile(chart.MetadataFile)
	out, err := s.Renderer.Render(ctx, RenderInput{
		Files:     []chart.File{{Name: chart.MetadataFile, Data: meta}, {Name: notes, Data: text}},
		Values:    d.Request.platformValues(nil),
		Release:   d.Chart.Name,
		Namespace: RenderNamespace,
	})
	if err != nil {
		cause := errors.New(strings.ReplaceAll(err.Error(), notes, ManifestFile))
		return nil, outcome.Stalled(outcome.Reason(err, v1alpha1.ReasonInvalidManifest), cause)
	}
	return []byte(out.Notes), nil
}

// ListUnits returns the charts of an app that are installed as separate releases: the charts in
// spec.subCharts of the manifest, or the main chart of the app.
func ListUnits(app string, files []chart.File, manifest *Manifest) ([]Unit, error) {
	if manifest == nil || len(manifest.SubCharts) == 0 {
		return []Unit{{Name: app}}, nil
	}
	units := make([]Unit, 0, len(manifest.SubCharts))
	for _, sub := range manifest.SubCharts {
		unit := Unit{Name: sub.Name, Dir: sub.Name}
		if _, ok := chart.FindFile(files, unit.Dir+"/"+chart.MetadataFile); !ok {
			return nil, outcome.Stalled(v1alpha1.ReasonInvalidManifest, fmt.Errorf(
				"%s: spec.subCharts: Invalid value: %q: file %s/%s not found", ManifestFile, sub.Name, unit.Dir, chart.MetadataFile))
		}
		units = append(units, unit)
	}
	return units, nil
}

// UnitFiles returns the files of a unit, with names relative to the folder of the unit.
func UnitFiles(files []chart.File, dir string) []chart.File {
	if dir == "" {
		return files
	}
	var own []chart.File
	for _, f := range files {
		if name, ok := strings.CutPrefix(f.Name, dir+"/"); ok {
			own = append(own, chart.File{Name: name, Data: f.Data})
		}
	}
	return own
}

// isLibrary reports whether the app is a library chart and the draft is hydrated.
func (d *Draft) isLibrary() bool {
	return d.Request.At == (InstallTarget{}) && strings.EqualFold(d.Chart.Type, "library")
}

// renderUnit sets the rendered documents of the unit, or the reason why it cannot be rendered.
func (u *Unit) renderUnit(ctx context.Context, r Renderer, d *Draft, files []chart.File) error {
	in := RenderInput{
		Files:     UnitFiles(files, u.Dir),
		Values:    u.Values,
		Release:   d.Request.At.releaseName(d.Chart.Name, u.Name),
		Namespace: d.Request.At.releaseNamespace(),
		Cluster:   d.Request.Cluster,
		Lookup:    d.Request.Lookup,
	}
	in.Upgrade, in.Revision = d.Request.Releases[in.Release].Upgrade, d.Request.Releases[in.Release].Number
	if in.ForRelease = d.Request.At != (InstallTarget{}); !in.ForRelease {
		in.Schemas = SchemasReported
	}
	out, err := r.Render(ctx, in)
	unrendered := ""
	if needs, ok := errors.AsType[*ValuesError](err); ok && !in.ForRelease {
		unrendered, err = fmt.Sprintf("chart %s: %s", u.Name, needs), nil
	}
	if err != nil {
		return fmt.Errorf("chart %s: %w", u.Name, err)
	}
	objects.KeepParsed(out.Documents)
	objects, warnings, err := objects.ListWithWarnings(out.Documents)
	if err == nil && in.ForRelease {
		err = u.readForRelease(out.Documents, in)
	}
	if err != nil {
		return fmt.Errorf("chart %s: %w", u.Name, err)
	}
	u.Documents, u.Objects, u.Notes = out.Documents, objects, out.Notes
	u.Unrendered, u.Violation, u.Warnings = unrendered, out.Violation, warnings
	u.Release, u.Lookups = out.Release, out.Lookups
	return nil
}

// readForRelease sets the fields that only an installation needs.
func (u *Unit) readForRelease(documents []objects.Document, in RenderInput) error {
	for i, doc := range documents {
		text, err := yaml.YAMLToJSON([]byte(doc.Text))
		if err != nil {
			return outcome.Stalled(v1alpha1.ReasonRenderFailed, fmt.Errorf("%s: %w", doc.Path, err))
		}
		documents[i].Object = string(text)
	}
	services, err := servicesOf(documents, in.Namespace, in.Release)
	u.Services = services
	return err
}
