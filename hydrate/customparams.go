package hydrate

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/values"
)

// CustomParams merges the parameters of the source and of the app into the values.yaml of
// each unit, validates the result against the schema of the unit, and renders the units
// again. Because the files are final after this step, it also determines where the app can
// be cloned.
type CustomParams struct {
	Renderer Renderer
}

// Name returns StepCustomParams.
func (CustomParams) Name() Name { return StepCustomParams }

// Apply sets Clone and, if there are parameters, Files, Units and Customized.
func (s CustomParams) Apply(ctx context.Context, d *Draft) error {
	files, units := d.Files, d.Units
	given := len(d.Request.Params) > 0
	if given {
		var err error
		if files, units, err = s.renderCustomized(ctx, d); err != nil {
			return err
		}
	}
	var clone *CloneSafety
	if isRendered(units) && !d.isLibrary() && (d.Manifest == nil || d.Manifest.Cloneable) {
		var err error
		if clone, err = AnalyzeClone(ctx, s.Renderer, d, files, units); err != nil {
			return err
		}
	}
	d.Files, d.Units, d.Customized, d.Clone = files, units, given, clone
	return nil
}

// isRendered reports whether all units were rendered.
func isRendered(units []Unit) bool {
	return !slices.ContainsFunc(units, func(u Unit) bool { return u.Unrendered != "" })
}

// renderCustomized returns the files and the units with the parameters merged in. A chart that
// renders without the parameters must also render with them.
func (s CustomParams) renderCustomized(ctx context.Context, d *Draft) ([]chart.File, []Unit, error) {
	files, units := slices.Clone(d.Files), slices.Clone(d.Units)
	for i := range units {
		changed, err := mergeParams(files, units[i].Dir, d.Request.Params)
		if err != nil {
			return nil, nil, err
		}
		files = changed
		if d.isLibrary() {
			continue
		}
		rendered := units[i].Unrendered == ""
		if err := units[i].renderUnit(ctx, s.Renderer, d, files); err != nil {
			return nil, nil, err
		}
		if rendered && units[i].Unrendered != "" {
			return nil, nil, outcome.Stalled(v1alpha1.ReasonRenderFailed, fmt.Errorf("parameters: %s", units[i].Unrendered))
		}
	}
	return files, units, nil
}

// mergeParams returns the files with the parameters merged into the values of the unit in
// dir. A schema violation is an error only if the chart's own values do not have the same
// one. A chart whose own values violate its schema requires values from the user.
func mergeParams(files []chart.File, dir string, params map[string]any) ([]chart.File, error) {
	name := path.Join(dir, chart.ValuesFile)
	before, _ := chart.FindFile(files, name)
	after, err := values.MergeText(before, params, chart.DependencyKeys(UnitFiles(files, dir))...)
	if err != nil {
		return nil, fmt.Errorf("merge parameters into %s: %w", name, err)
	}
	if schema, ok := chart.FindFile(files, path.Join(dir, chart.SchemaFile)); ok {
		violation := checkValuesText(schema, after)
		if violation != nil && !isSameError(violation, checkValuesText(schema, before)) {
			return nil, fmt.Errorf("parameters: %w", violation)
		}
	}
	return replaceFile(files, chart.File{Name: name, Data: after}), nil
}

func checkValuesText(schema, merged []byte) error {
	decoded, err := values.Decode(merged)
	if err != nil {
		return err
	}
	return values.CheckSchema(schema, decoded)
}

func isSameError(a, b error) bool { return b != nil && a.Error() == b.Error() }

// replaceFile returns the files with one file added or replaced, sorted by name.
func replaceFile(files []chart.File, f chart.File) []chart.File {
	at, found := slices.BinarySearchFunc(files, f.Name, func(e chart.File, name string) int {
		switch {
		case e.Name < name:
			return -1
		case e.Name > name:
			return 1
		}
		return 0
	})
	if found {
		files = slices.Clone(files)
		files[at] = f
		return files
	}
	return slices.Insert(slices.Clone(files), at, f)
}
