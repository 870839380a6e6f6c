package catalog

import (
	"cmp"
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Names of the indexes of AppInstances.
const (
	// InstancesByApp indexes instances by their AppInfo, in the form of InstanceKey.
	InstancesByApp = "spec.appRef"
	// UnresolvedBySource indexes instances whose condition Resolved is not True by their
	// source, in the form of SourceKey.
	UnresolvedBySource = "unresolved.source"
)

// InstanceKey returns the namespace and name of the AppInfo that an instance uses.
func InstanceKey(instance *v1alpha1.AppInstance) string {
	return AppKey(instance.Spec.AppRef, instance.Namespace)
}

// AppKey returns the namespace and name of the AppInfo to which an object in a namespace refers.
func AppKey(ref v1alpha1.AppReference, namespace string) string {
	return cmp.Or(ref.Namespace, namespace) + "/" + ref.AppInfoName()
}

// InstanceNamespace returns the namespace of the AppInfo that an instance uses.
func InstanceNamespace(instance *v1alpha1.AppInstance) string {
	return cmp.Or(instance.Spec.AppRef.Namespace, instance.Namespace)
}

// SourceKey returns the namespace and name of the source that an instance uses.
func SourceKey(instance *v1alpha1.AppInstance) string {
	return InstanceNamespace(instance) + "/" + instance.Spec.AppRef.Source
}

// AddIndexes registers the indexes of AppInstances.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	return errors.Join(
		indexer.IndexField(ctx, &v1alpha1.AppInstance{}, InstancesByApp, func(o client.Object) []string {
			return []string{InstanceKey(o.(*v1alpha1.AppInstance))}
		}),
		indexer.IndexField(ctx, &v1alpha1.AppInstance{}, UnresolvedBySource, func(o client.Object) []string {
			instance := o.(*v1alpha1.AppInstance)
			if meta.IsStatusConditionTrue(instance.Status.Conditions, v1alpha1.ConditionResolved) {
				return nil
			}
			return []string{SourceKey(instance)}
		}),
	)
}
