package preview

import (
	"fmt"
	"maps"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/values"
)

// ReinstallLines returns the fields of an uninstalled instance that an Install request uses again, because the
// request does not replace them. asked contains the names of the inputs that the user has to type.
func ReinstallLines(instance *v1alpha1.AppInstance, r taskbuilder.Request, asked []string) ([]Line, error) {
	spec, given := &instance.Spec, &r.Configuration
	var lines []Line
	add := func(name string, used []string) {
		if len(used) > 0 {
			lines = append(lines, Line{name, fmt.Sprintf("%s of the uninstalled instance %q", text.List(used, ", ", maxPaths), instance.Name)})
		}
	}
	if given.Values == nil {
		decoded, err := values.DecodeField(spec.Values)
		if err != nil {
			return nil, fmt.Errorf("values of the instance: %w", err)
		}
		leaves := map[string]any{}
		addLeaves(leaves, "", decoded)
		add("Values", slices.Sorted(maps.Keys(leaves)))
	}
	if given.ValuesFrom == nil {
		add("ValuesFrom", referenceTitles(spec.ValuesFrom))
	}
	add("Inputs", inputsNotGiven(spec.Inputs, given.Inputs, asked))
	if ref := spec.CredentialSecretRef; ref != nil && given.CredentialSecretRef == nil {
		add("Credential", []string{"Secret " + ref.Name})
	}
	return lines, nil
}

// referenceTitles returns the kinds and names of references to values.
func referenceTitles(references []v1alpha1.ValuesReference) []string {
	var titles []string
	for _, ref := range references {
		titles = append(titles, fmt.Sprintf("%s %s", ref.Kind, ref.Name))
	}
	return titles
}

// inputsNotGiven returns the sorted names of inputs that are neither given nor asked for.
func inputsNotGiven(inputs, given []v1alpha1.InputValue, asked []string) []string {
	var names []string
	for _, input := range inputs {
		isGiven := slices.ContainsFunc(given, func(other v1alpha1.InputValue) bool { return other.Name == input.Name })
		if !isGiven && !slices.Contains(asked, input.Name) {
			names = append(names, input.Name)
		}
	}
	slices.Sort(names)
	return names
}
