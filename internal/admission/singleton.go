package admission

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/transitions"
)

// isClusterSingleton reports whether the app to which an object in a namespace refers can be
// installed once in a cluster.
func isClusterSingleton(ctx context.Context, objects client.Reader, ref v1alpha1.AppReference, namespace string) (bool, error) {
	app := &v1alpha1.AppInfo{}
	key := client.ObjectKey{Namespace: cmp.Or(ref.Namespace, namespace), Name: ref.AppInfoName()}
	err := objects.Get(ctx, key, app, client.UnsafeDisableDeepCopy)
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("get app %q: %w", ref.Name, err)
	}
	return app.Status.Summary != nil && app.Status.Summary.ClusterSingleton, nil
}

// IsReadySingleton reports whether an instance is ready and of an app that can be installed once in
// a cluster, so that it satisfies the dependencies of instances in all namespaces.
func IsReadySingleton(ctx context.Context, objects client.Reader, instance *v1alpha1.AppInstance) (bool, error) {
	if !meta.IsStatusConditionTrue(instance.Status.Conditions, v1alpha1.ConditionReady) {
		return false, nil
	}
	return isClusterSingleton(ctx, objects, instance.Spec.AppRef, instance.Namespace)
}

// IsSingletonInstallation reports whether the app of an operation can be installed once in a cluster,
// and is not installed by the instance of the operation.
func IsSingletonInstallation(o *Operation) bool {
	summary := o.summary()
	return summary != nil && summary.ClusterSingleton && !o.Upgrade
}

// CheckStartedSingletons checks, immediately before an operation starts, that no other instance of an
// app that can be installed once in a cluster has started. Two instances that are created at the same
// time can both pass CheckClusterSingleton, because neither may be in the cache yet. Therefore the
// operation must read from the API server, and the caller must save it before the next operation of
// such an app is checked.
func CheckStartedSingletons(ctx context.Context, o *Operation, f *Findings) error {
	if !IsSingletonInstallation(o) {
		return nil
	}
	all, err := ListInstallations(ctx, o.Objects, catalog.AppKey(o.AppRef, o.Tenant.Namespace), "")
	if err != nil {
		return err
	}
	for i := range all {
		if other := &all[i]; other.UID != o.Instance.UID && hasStarted(other) {
			return addOtherSingleton(ctx, o, f, other)
		}
	}
	return nil
}

// listSingletons returns the instances of an app in all namespaces if the app can be installed once
// in a cluster, otherwise none.
func listSingletons(ctx context.Context, o *Operation, ref v1alpha1.AppReference) ([]v1alpha1.AppInstance, error) {
	isSingleton, err := isClusterSingleton(ctx, o.Catalog.Objects, ref, o.Tenant.Namespace)
	if err != nil || !isSingleton {
		return nil, err
	}
	return ListInstallations(ctx, o.Objects, catalog.AppKey(ref, o.Tenant.Namespace), "")
}

// FindSingletonUsers returns the instances in other namespaces that depend on the instance, because
// its app can be installed once in a cluster, by namespace and name. Do not change the instances: they belong to the cache.
func FindSingletonUsers(ctx context.Context, o *Operation) ([]v1alpha1.AppInstance, error) {
	isSingleton, err := isClusterSingleton(ctx, o.Catalog.Objects, o.Instance.Spec.AppRef, o.Instance.Namespace)
	if err != nil || !isSingleton || !hasStarted(o.Instance) {
		return nil, err
	}
	var list v1alpha1.AppInstanceList
	if err := o.Objects.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	var users []v1alpha1.AppInstance
	for i := range list.Items {
		other := &list.Items[i]
		if other.Namespace == o.Instance.Namespace || catalog.SourceKey(other) != catalog.SourceKey(o.Instance) ||
			transitions.StateOf(other) == transitions.Uninstalled {
			continue
		}
		summary, err := FindSummary(ctx, o.Catalog, other)
		if err != nil {
			return nil, err
		}
		if dependsOnSingleton(summary, other.Namespace, o.Instance, list.Items) {
			users = append(users, *other)
		}
	}
	slices.SortFunc(users, compareInstances)
	return users, nil
}

// dependsOnSingleton reports whether an app that is installed in a namespace requires the app of an
// instance, and no other instance satisfies the dependency.
func dependsOnSingleton(summary *v1alpha1.AppSummary, namespace string, singleton *v1alpha1.AppInstance, all []v1alpha1.AppInstance) bool {
	required := requiredApps(summary)
	at := slices.IndexFunc(required, func(d v1alpha1.AppDependency) bool { return d.Name == singleton.Spec.AppRef.Name })
	if at < 0 {
		return false
	}
	others := slices.DeleteFunc(slices.Clone(all), func(i v1alpha1.AppInstance) bool {
		return i.UID == singleton.UID || i.Namespace != namespace && catalog.InstanceKey(&i) != catalog.InstanceKey(singleton)
	})
	return !isDependencySatisfied(required[at], others)
}
