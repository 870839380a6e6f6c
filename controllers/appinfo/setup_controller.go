package appinfo

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
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
)

// SetupWithManager registers the controller. The channel damaged receives the apps whose charts in
// the repository are missing or damaged, and placed the apps whose placement has changed.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, damaged, placed <-chan event.GenericEvent, options controller.Options) error {
	changed := predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.AppInfo{}, builder.WithPredicates(changed)).
		Watches(&v1alpha1.MarketSource{}, handler.EnqueueRequestsFromMapFunc(r.appsForSource),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.AppInstance{}, handler.EnqueueRequestsFromMapFunc(appOfInstance),
			builder.WithPredicates(releasedChartPredicate())).
		Watches(&v1alpha1.AppInfo{}, handler.EnqueueRequestsFromMapFunc(r.dependentApps), builder.WithPredicates(offeredPredicate())).
		WatchesRawSource(source.Channel(damaged, &handler.EnqueueRequestForObject{})).
		WatchesRawSource(source.Channel(placed, &handler.EnqueueRequestForObject{})).
		WatchesRawSource(source.Func(r.queue.Start)).
		WithOptions(options).
		Complete(reconcile.AsReconciler(r.Client, r))
}

// appsForSource returns all apps of a source, because a change of its platform values or
// parameters affects all of them.
func (r *Reconciler) appsForSource(ctx context.Context, o client.Object) []reconcile.Request {
	var list v1alpha1.AppInfoList
	err := r.List(ctx, &list, client.InNamespace(o.GetNamespace()), client.MatchingLabels{v1alpha1.SourceLabel: o.GetName()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list the apps of a changed source", "source", o.GetName())
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{
			Namespace: list.Items[i].Namespace, Name: list.Items[i].Name}})
	}
	return requests
}
