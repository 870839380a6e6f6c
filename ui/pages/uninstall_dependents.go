package pages

import (
	"cmp"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
)

// dependents are the instances that an uninstallation affects because they depend on the app of the instance.
type dependents struct {
	Instances []v1alpha1.AppInstance
	// Unknown reports that the user cannot read all instances or their apps, so that there may be others.
	Unknown bool
}

// findDependents returns the instances in the namespace of an instance that depend on its app, also those that
// depend on such an instance. There are none if another instance of the app remains.
func findDependents(r *request, instance *v1alpha1.AppInstance) (dependents, error) {
	allowed, err := r.Allows(r.Context(), "list", kube.Instances, instance.Namespace, "")
	if err != nil || !allowed {
		return dependents{Unknown: true}, err
	}
	all, err := listInstances(r, instance.Namespace)
	if err != nil {
		return dependents{}, err
	}
	others := slices.DeleteFunc(slices.Clone(all), func(other v1alpha1.AppInstance) bool { return other.Name == instance.Name || isUninstalled(&other) })
	app := instance.Spec.AppRef.Name
	if slices.ContainsFunc(others, func(other v1alpha1.AppInstance) bool { return other.Spec.AppRef.Name == app }) {
		return dependents{}, nil
	}
	found, requires := dependents{}, map[string][]string{}
	for i := range others {
		names, isKnown, err := requiredApps(r, &others[i])
		if err != nil {
			return dependents{}, err
		}
		requires[others[i].Name] = names
		found.Unknown = found.Unknown || !isKnown
	}
	found.Instances = instancesThatRequire(app, others, requires)
	return found, nil
}

// requiredApps returns the names of the apps that the app of an instance requires, if the user can list it.
func requiredApps(r *request, instance *v1alpha1.AppInstance) (names []string, isKnown bool, err error) {
	ref := instance.Spec.AppRef
	namespace := cmp.Or(ref.Namespace, instance.Namespace)
	allowed, err := r.Allows(r.Context(), "list", kube.Apps, namespace, "")
	if err != nil || !allowed {
		return nil, false, err
	}
	row := r.server.Cluster.FindApp(namespace, ref.AppInfoName())
	if row == nil {
		return nil, true, nil // The operator knows no dependencies of an app that does not exist.
	}
	return row.Requires, true, nil
}

// instancesThatRequire returns the instances that require an app, directly or through other instances.
func instancesThatRequire(app string, all []v1alpha1.AppInstance, requires map[string][]string) []v1alpha1.AppInstance {
	var found []v1alpha1.AppInstance
	seen := map[string]bool{}
	for removed := []string{app}; len(removed) > 0; removed = removed[1:] {
		for i := range all {
			if name := all[i].Name; !seen[name] && slices.Contains(requires[name], removed[0]) {
				seen[name] = true
				found, removed = append(found, all[i]), append(removed, all[i].Spec.AppRef.Name)
			}
		}
	}
	return found
}
