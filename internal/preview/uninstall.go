package preview

import (
	"maps"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
)

// RetainedSecrets returns the sorted names of the Secrets from which the inputs of an instance are read. An
// uninstallation retains them.
func RetainedSecrets(instance *v1alpha1.AppInstance) []string {
	names := map[string]bool{}
	for _, input := range instance.Spec.Inputs {
		if input.ValueFrom != nil && input.ValueFrom.SecretKeyRef != nil {
			names[input.ValueFrom.SecretKeyRef.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
