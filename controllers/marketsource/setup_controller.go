package marketsource

import (
	"context"
	"time"

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
)

// debounceInterval is the time for which changes of AppInfos are collected before they are counted. A
// source with thousands of apps then writes its status a few times per second during
// hydration, and not once for each app.
const debounceInterval = 300 * time.Millisecond

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, options controller.Options) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.MarketSource{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&v1alpha1.MarketSource{}, handler.Funcs{DeleteFunc: r.forgetSource}).
		Watches(&v1alpha1.AppInfo{}, debouncedHandler()).
		Watches(&v1alpha1.AppInstance{}, handler.EnqueueRequestsFromMapFunc(sourceOfInstance), builder.WithPredicates(usagePredicate())).
		WatchesRawSource(source.Func(r.queue.Start)).
		WithOptions(options).
		Complete(reconcile.AsReconciler(r.Client, r))
}

// forgetSource removes the in-memory state of a deleted source. A source that is not in use has no
// finalizer, so that no reconcile observes its deletion.
func (r *Reconciler) forgetSource(_ context.Context, e event.DeleteEvent, _ workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	r.pollStates.Delete(e.Object.GetUID())
	r.changedOrigins.Delete(client.ObjectKeyFromObject(e.Object))
	r.Turns.Cancel(client.ObjectKeyFromObject(e.Object))
	r.Suspects.Cancel(client.ObjectKeyFromObject(e.Object))
}

// debouncedHandler requeues the source of an app shortly after the app has changed.
func debouncedHandler() handler.Funcs {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(app client.Object, q queue) {
		if source := app.GetLabels()[v1alpha1.SourceLabel]; source != "" {
			q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{
				Namespace: app.GetNamespace(), Name: source}}, debounceInterval)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { add(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { add(e.ObjectNew, q) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { add(e.Object, q) },
	}
}
