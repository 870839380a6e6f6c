package admission

import (
	"context"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
)

// FindDependents returns the instances that depend on the app of the instance, sorted for removal.
// It returns none if another instance of the app remains in the namespace.
func FindDependents(ctx context.Context, o *Operation) ([]v1alpha1.AppInstance, error) {
	others, err := ListOtherInstances(ctx, o.Objects, o.Tenant.Namespace, o.Name)
	if err != nil {
		return nil, err
	}
	removed := o.Instance.Spec.AppRef.Name
	needs := map[string][]string{} // the apps that an instance needs, by its name
	for i := range others {
		other := &others[i]
		if other.Spec.AppRef.Name == removed {
			return nil, nil
		}
		summary, err := FindSummary(ctx, o.Catalog, other)
		if err != nil {
			return nil, err
		}
		for _, d := range requiredApps(summary) {
			needs[other.Name] = append(needs[other.Name], d.Name)
		}
	}
	return sortDependents(removed, others, needs), nil
}

// sortDependents returns the instances that need an app, directly or transitively, sorted so that
// an instance precedes the instances that it needs.
func sortDependents(app string, all []v1alpha1.AppInstance, needs map[string][]string) []v1alpha1.AppInstance {
	var order []v1alpha1.AppInstance
	seen := map[string]bool{}
	var visit func(app string)
	visit = func(app string) {
		for i := range all {
			if seen[all[i].Name] || !slices.Contains(needs[all[i].Name], app) {
				continue
			}
			seen[all[i].Name] = true
			visit(all[i].Spec.AppRef.Name)
			order = append(order, all[i])
		}
	}
	visit(app)
	return order
}
