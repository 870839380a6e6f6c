package appinstance

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
)

// eventHandlers maps the events of objects to the instances that they affect, and cancels
// running operations that the events supersede.
type eventHandlers struct {
	client.Reader
	operations *operationTracker
}

// SetupWithManager registers the controller. The channel receives the instances whose
// health has changed.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, changed <-chan event.GenericEvent, options controller.Options) error {
	h := eventHandlers{Reader: r.Client, operations: &r.activeOperations}
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.AppInstance{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&v1alpha1.AppInfo{}, handler.EnqueueRequestsFromMapFunc(h.instancesForApp),
			builder.WithPredicates(servedVersionsPredicate())).
		Watches(&v1alpha1.AppInfo{}, handler.EnqueueRequestsFromMapFunc(h.waitingForApp), builder.WithPredicates(requirementsPredicate())).
		Watches(&v1alpha1.AppInstance{}, handler.EnqueueRequestsFromMapFunc(h.waitingForInstance), builder.WithPredicates(dependencyPredicate())).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(h.waitingForNamespace), builder.WithPredicates(namespaceLabelsPredicate())).
		Watches(&v1alpha1.MarketSource{}, handler.EnqueueRequestsFromMapFunc(h.unresolvedInstances),
			builder.WithPredicates(listingPredicate())).
		Watches(&v1alpha1.AppInstance{}, handler.Funcs{UpdateFunc: h.cancelOutdated}).
		Watches(&v1alpha1.AppInstance{}, inputHandler(r)).
		Watches(&corev1.Namespace{}, handler.Funcs{UpdateFunc: h.cancelInTerminatingNamespace}).
		WatchesRawSource(source.Channel(changed, &handler.EnqueueRequestForObject{})).
		WatchesRawSource(source.Func(r.captureQueue)).
		WithOptions(options).
		Complete(reconcile.AsReconciler(r.Client, r))
}

// cancelOutdated cancels a running operation if the new spec supersedes it. The change also
// triggers a reconcile.
func (h eventHandlers) cancelOutdated(_ context.Context, e event.UpdateEvent, _ workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	if instance, ok := e.ObjectNew.(*v1alpha1.AppInstance); ok {
		h.operations.cancelIfChanged(instance)
	}
}

// cancelInTerminatingNamespace cancels the running operations in a namespace that is being deleted, and requeues
// its deleted instances, which may be waiting for a retry.
func (h eventHandlers) cancelInTerminatingNamespace(ctx context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	if !e.ObjectOld.GetDeletionTimestamp().IsZero() || e.ObjectNew.GetDeletionTimestamp().IsZero() {
		return
	}
	namespace := e.ObjectNew.GetName()
	h.operations.cancelInNamespace(namespace)
	var list v1alpha1.AppInstanceList
	if err := h.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list the instances of a namespace", "namespace", namespace)
		return
	}
	for i := range list.Items {
		if !list.Items[i].DeletionTimestamp.IsZero() {
			queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
}

// captureQueue stores the workqueue for Wake.
func (r *Reconciler) captureQueue(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	r.queue.Store(&queue)
	return nil
}

// Wake requeues an instance that has acquired a slot of Reconciles, Turns or Removals.
func (r *Reconciler) Wake(instance types.NamespacedName) {
	if queue := r.queue.Load(); queue != nil {
		(*queue).Add(reconcile.Request{NamespacedName: instance})
	}
}

// servedVersionsPredicate passes updates of an AppInfo that change its published versions or its
// listing.
func servedVersionsPredicate() predicate.Funcs {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.AppInfo)
		after, also := e.ObjectNew.(*v1alpha1.AppInfo)
		return ok && also && (!hasSameVersions(before.Status.Versions, after.Status.Versions) || catalog.HasListingChanged(before, after))
	}}
}

func hasSameVersions(a, b []v1alpha1.PublishedVersion) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Version != b[i].Version || a[i].Digest != b[i].Digest || !equality.Semantic.DeepEqual(a[i].Audit, b[i].Audit) {
			return false
		}
	}
	return true
}

// listingPredicate passes updates of a MarketSource that change its spec or its listing,
// because apps may have been added or removed.
func listingPredicate() predicate.Funcs {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.MarketSource)
		after, also := e.ObjectNew.(*v1alpha1.MarketSource)
		return ok && also && (before.Generation != after.Generation ||
			before.Status.ObservedGeneration != after.Status.ObservedGeneration ||
			!before.Status.LastSyncTime.Equal(after.Status.LastSyncTime))
	}}
}

// unresolvedInstances returns the instances of a source whose spec is not resolved.
func (h eventHandlers) unresolvedInstances(ctx context.Context, from client.Object) []reconcile.Request {
	return h.instancesByIndex(ctx, catalog.UnresolvedBySource, from)
}

// instancesForApp returns the instances of an app.
func (h eventHandlers) instancesForApp(ctx context.Context, app client.Object) []reconcile.Request {
	return h.instancesByIndex(ctx, catalog.InstancesByApp, app)
}

// instancesByIndex returns the instances that an index lists for an object.
func (h eventHandlers) instancesByIndex(ctx context.Context, index string, object client.Object) []reconcile.Request {
	var list v1alpha1.AppInstanceList
	err := h.List(ctx, &list, client.MatchingFields{index: object.GetNamespace() + "/" + object.GetName()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list the instances of a changed object", "index", index, "object", object.GetName())
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}
