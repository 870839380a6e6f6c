package command

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/values"
)

// maxPaths is the number of paths of values that a preview names.
const maxPaths = 10

// printChange prints what an Upgrade or Configure request changes in an instance. app is the app of the
// instance, nil if the user cannot read it.
// asked contains the names of the inputs that the user has to type.
func printChange(out io.Writer, instance *v1alpha1.AppInstance, app *v1alpha1.AppInfo, r taskbuilder.Request, asked []string) error {
	if r.Action == v1alpha1.ActionUpgrade {
		installed, target := cmp.Or(instance.Status.Version, "none"), targetVersion(app, r.Version)
		line := installed + " -> " + target
		if target == installed {
			line = installed + " (already installed)"
		}
		printLine(out, "Version", line)
	}
	if pinned := instance.Spec.PinnedRevision; pinned != 0 {
		printLine(out, "Pin", fmt.Sprintf("released from revision %d; the values and inputs of the instance are used again", pinned))
	}
	changes, err := valueChanges(instance.Spec.Values, r.Configuration.Values)
	if err != nil {
		return err
	}
	printLine(out, "Values", strings.Join(changes, "; "))
	names := slices.Clone(asked)
	for _, input := range r.Configuration.Inputs {
		names = append(names, input.Name)
	}
	slices.Sort(names)
	printLine(out, "Inputs", sentenceIf(len(names) > 0, "set "+text.List(names, ", ", maxPaths)))
	return nil
}

// printLine prints a line of a preview, unless it is empty.
func printLine(out io.Writer, name, line string) {
	if line != "" {
		fmt.Fprintf(out, "%-10s %s\n", name+":", printable(line))
	}
}

// targetVersion describes the version to which an upgrade leads.
func targetVersion(app *v1alpha1.AppInfo, version string) string {
	if app == nil {
		return cmp.Or(version, "the latest stable version")
	}
	if version == "" {
		version = app.Status.SelectedVersion
	}
	for _, published := range app.Status.Versions {
		if published.Version != version {
			continue
		}
		return version + sentenceIf(published.Deprecated, " (deprecated)")
	}
	return cmp.Or(version, "the latest stable version")
}

// valueChanges describes the difference between the values of an instance and requested values, which
// replace them. Without requested values, there is no difference.
func valueChanges(present, requested *runtime.RawExtension) ([]string, error) {
	if requested == nil {
		return nil, nil
	}
	before, err := values.DecodeField(present)
	if err != nil {
		return nil, fmt.Errorf("values of the instance: %w", err)
	}
	after, err := values.DecodeField(requested)
	if err != nil {
		return nil, err
	}
	was, is := map[string]any{}, map[string]any{}
	addLeaves(was, "", before)
	addLeaves(is, "", after)
	var set, removed []string
	for _, path := range slices.Sorted(maps.Keys(is)) {
		if old, found := was[path]; !found || !reflect.DeepEqual(old, is[path]) {
			set = append(set, path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(was)) {
		if _, found := is[path]; !found {
			removed = append(removed, path)
		}
	}
	var changes []string
	if len(set) > 0 {
		changes = append(changes, "set "+text.List(set, ", ", maxPaths))
	}
	if len(removed) > 0 {
		changes = append(changes, "remove "+text.List(removed, ", ", maxPaths))
	}
	if len(changes) == 0 {
		changes = append(changes, "no change")
	}
	return changes, nil
}

// addLeaves adds the values below a path by their paths. Lists and empty maps are values.
func addLeaves(leaves map[string]any, path string, value any) {
	nested, isMap := value.(map[string]any)
	if !isMap || len(nested) == 0 && path != "" {
		leaves[path] = value
		return
	}
	for key, below := range nested {
		addLeaves(leaves, strings.TrimPrefix(path+"."+key, "."), below)
	}
}
