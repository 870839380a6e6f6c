package catalog

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
)

// maxUsersNamed is the maximum number of instances that a message names.
const maxUsersNamed = 10

// UsesChart reports whether an instance has releases of its app or runs an operation.
func UsesChart(instance *v1alpha1.AppInstance) bool {
	st := instance.Status
	return st.Version != "" || len(st.Releases) > 0 || st.CurrentOperation != nil
}

// InstancesUsing returns the names of the instances that use a chart of an AppInfo, in the form
// namespace/name.
func InstancesUsing(ctx context.Context, objects client.Reader, app *v1alpha1.AppInfo) ([]string, error) {
	var list v1alpha1.AppInstanceList
	err := objects.List(ctx, &list, client.MatchingFields{InstancesByApp: app.Namespace + "/" + app.Name})
	if err != nil {
		return nil, fmt.Errorf("list instances of app %q: %w", app.Spec.App, err)
	}
	return instanceNames(list.Items, func(*v1alpha1.AppInstance) bool { return true }), nil
}

// InstancesUsingSource returns the names of the instances that use a chart of a source, in the form
// of InstancesUsing.
func InstancesUsingSource(ctx context.Context, objects client.Reader, source *v1alpha1.MarketSource) ([]string, error) {
	var list v1alpha1.AppInstanceList
	if err := objects.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list instances of source %q: %w", source.Name, err)
	}
	key := source.Namespace + "/" + source.Name
	return instanceNames(list.Items, func(i *v1alpha1.AppInstance) bool { return SourceKey(i) == key }), nil
}

// instanceNames returns the sorted names of the instances that use a chart and match.
func instanceNames(instances []v1alpha1.AppInstance, matches func(*v1alpha1.AppInstance) bool) []string {
	var names []string
	for i := range instances {
		if one := &instances[i]; UsesChart(one) && matches(one) {
			names = append(names, one.Namespace+"/"+one.Name)
		}
	}
	slices.Sort(names)
	return names
}

// UsersMessage lists the names of instances.
func UsersMessage(names []string) string { return text.List(names, ", ", maxUsersNamed) }

// NamedDigests returns the digests of the charts that an instance has installed, is installing, or
// names in its history.
func NamedDigests(instance *v1alpha1.AppInstance) []string {
	st := instance.Status
	digests := []string{st.ChartDigest}
	if st.CurrentOperation != nil {
		digests = append(digests, st.CurrentOperation.ChartDigest)
	}
	for _, entry := range st.History {
		digests = append(digests, entry.Operation.ChartDigest)
	}
	return digests
}
