package appinstance

import (
	"context"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/transitions"
)

// isUnresolved reports whether an instance may wait for a requirement.
func isUnresolved(instance *v1alpha1.AppInstance) bool {
	return instance.DeletionTimestamp.IsZero() && !meta.IsStatusConditionTrue(instance.Status.Conditions, v1alpha1.ConditionResolved)
}

// requirementsPredicate passes updates of an AppInfo that change what admission reads of it.
func requirementsPredicate() predicate.Funcs {
	return updatePredicate(func(before, after *v1alpha1.AppInfo) bool {
		return before.Spec.Withdrawn != after.Spec.Withdrawn || !equality.Semantic.DeepEqual(before.Status.Summary, after.Status.Summary)
	})
}

// dependencyPredicate passes deletions of an instance, and updates that may satisfy the dependency
// of another instance or end a conflict with it.
func dependencyPredicate() predicate.Funcs {
	changed := updatePredicate(func(before, after *v1alpha1.AppInstance) bool {
		return transitions.StateOf(before) != transitions.StateOf(after) || before.Status.Version != after.Status.Version ||
			before.Spec.AppRef != after.Spec.AppRef || isReady(before) != isReady(after)
	})
	changed.DeleteFunc = func(event.DeleteEvent) bool { return true }
	return changed
}

func isReady(instance *v1alpha1.AppInstance) bool {
	return meta.IsStatusConditionTrue(instance.Status.Conditions, v1alpha1.ConditionReady)
}

// namespaceLabelsPredicate passes updates of a Namespace that change its labels.
func namespaceLabelsPredicate() predicate.Funcs {
	return updatePredicate(func(before, after *corev1.Namespace) bool { return !maps.Equal(before.Labels, after.Labels) })
}

// updatePredicate passes the updates for which a function returns true, and no other events.
func updatePredicate[T client.Object](isPassed func(before, after T) bool) predicate.Funcs {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(T)
			after, also := e.ObjectNew.(T)
			return ok && also && isPassed(before, after)
		},
	}
}

// waitingForApp returns the unresolved instances of an app.
func (h eventHandlers) waitingForApp(ctx context.Context, app client.Object) []reconcile.Request {
	return h.unresolvedRequests(ctx, nil, client.MatchingFields{catalog.InstancesByApp: client.ObjectKeyFromObject(app).String()})
}

// waitingForInstance returns the unresolved instances that may depend on an instance or conflict
// with it: the instances in its namespace, for a shared chart or an instance that is removed also the
// instances of its app, and for an app that can be installed once in a cluster also the instances of
// its source that wait for a dependency.
func (h eventHandlers) waitingForInstance(ctx context.Context, o client.Object) []reconcile.Request {
	changed, ok := o.(*v1alpha1.AppInstance)
	if !ok {
		return nil
	}
	isOther := func(one *v1alpha1.AppInstance) bool { return one.UID != changed.UID }
	requests := h.unresolvedRequests(ctx, isOther, client.InNamespace(changed.Namespace))
	if admission.IsSharedInstance(changed) || admission.IsRemoved(changed) {
		requests = append(requests, h.unresolvedRequests(ctx, isOther, client.MatchingFields{catalog.InstancesByApp: catalog.InstanceKey(changed)})...)
	}
	isSingleton, err := admission.IsReadySingleton(ctx, h, changed)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not determine whether instances in other namespaces wait for an instance")
	}
	if isSingleton {
		fromSource := client.MatchingFields{catalog.UnresolvedBySource: catalog.SourceKey(changed)}
		requests = append(requests, h.unresolvedRequests(ctx, isWaitingForDependency, fromSource)...)
	}
	return requests
}

// waitingForNamespace returns the unresolved instances in a namespace, to which a source may now be
// shared. If the namespace may contain a shared chart, it also returns the instances in other
// namespaces that wait for a dependency.
func (h eventHandlers) waitingForNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	requests := h.unresolvedRequests(ctx, nil, client.InNamespace(namespace.GetName()))
	if _, labeled := namespace.GetLabels()[v1alpha1.SharedPartsLabel]; labeled {
		requests = append(requests, h.unresolvedRequests(ctx, isWaitingForDependency)...)
	}
	return requests
}

func isWaitingForDependency(instance *v1alpha1.AppInstance) bool {
	c := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionResolved)
	return c != nil && c.Reason == v1alpha1.ReasonWaitingForDependency
}

// unresolvedRequests returns a request for each unresolved instance that matches the list options
// and the function, which may be nil.
func (h eventHandlers) unresolvedRequests(ctx context.Context, pick func(*v1alpha1.AppInstance) bool, options ...client.ListOption) []reconcile.Request {
	var list v1alpha1.AppInstanceList
	if err := h.List(ctx, &list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list the instances that wait for a changed object")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if one := &list.Items[i]; isUnresolved(one) && (pick == nil || pick(one)) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(one)})
		}
	}
	return requests
}
