// Package preview describes what a requested operation changes in an instance, before it is requested.
//
// The web pages and the kubectl plugin show the same lines. They are computed from the instance, its
// app and the request alone, so they are available without a task. The package reads no cluster.
package preview

import (
	"cmp"
	"fmt"
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

// maxPaths is the number of paths of values, and of inputs, that a line names.
const maxPaths = 10

// Line is a line of a preview.
type Line struct {
	// Name is what changes, such as Version or Values.
	Name string
	// Text describes the change.
	Text string
}

// ChangeLines returns what an Upgrade or Configure request changes in an instance. app is the app of
// the instance, nil if the user cannot read it. asked contains the names of the inputs that the user
// has to type and that are not part of the request.
func ChangeLines(instance *v1alpha1.AppInstance, app *v1alpha1.AppInfo, r taskbuilder.Request, asked []string) ([]Line, error) {
	var lines []Line
	add := func(name, line string) {
		if line != "" {
			lines = append(lines, Line{name, line})
		}
	}
	if r.Action == v1alpha1.ActionUpgrade {
		add("Version", versionChange(instance, app, r.Version))
	}
	if pinned := instance.Spec.PinnedRevision; pinned != 0 {
		add("Pin", fmt.Sprintf("released from revision %d; the values and inputs of the instance are used again", pinned))
	}
	changes, err := valueChanges(instance.Spec.Values, r.Configuration.Values)
	if err != nil {
		return nil, err
	}
	add("Values", strings.Join(changes, "; "))
	names := slices.Clone(asked)
	for _, input := range r.Configuration.Inputs {
		names = append(names, input.Name)
	}
	slices.Sort(names)
	if len(names) > 0 {
		add("Inputs", "set "+text.List(names, ", ", maxPaths))
	}
	return lines, nil
}

// versionChange describes the installed version and the version to which an upgrade leads.
func versionChange(instance *v1alpha1.AppInstance, app *v1alpha1.AppInfo, version string) string {
	installed, target := cmp.Or(instance.Status.Version, "none"), targetVersion(app, version)
	if target == installed {
		return installed + " (already installed)"
	}
	return installed + " -> " + target
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
		if published.Version == version && published.Deprecated {
			return version + " (deprecated)"
		}
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
