package appinfo

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
)

// offeredPredicate passes updates of an AppInfo that change its versions, its dependencies or its
// listing. A new AppInfo has no versions.
func offeredPredicate() predicate.Funcs {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*v1alpha1.AppInfo)
			after, also := e.ObjectNew.(*v1alpha1.AppInfo)
			return ok && also && (catalog.HasListingChanged(before, after) ||
				!equality.Semantic.DeepEqual(before.Status.Versions, after.Status.Versions) ||
				!equality.Semantic.DeepEqual(dependenciesOf(before), dependenciesOf(after)))
		},
	}
}

func dependenciesOf(app *v1alpha1.AppInfo) []v1alpha1.AppDependency {
	if app.Status.Summary == nil {
		return nil
	}
	return app.Status.Summary.Dependencies
}

// dependentApps returns the apps of the same source whose review depends on an app.
func (r *Reconciler) dependentApps(ctx context.Context, o client.Object) []reconcile.Request {
	app, ok := o.(*v1alpha1.AppInfo)
	if !ok {
		return nil
	}
	var list v1alpha1.AppInfoList
	err := r.List(ctx, &list, client.InNamespace(app.Namespace), client.MatchingLabels{v1alpha1.SourceLabel: app.Spec.SourceRef.Name},
		client.UnsafeDisableDeepCopy)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list the apps that depend on a changed app", "app", app.Name)
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		review := list.Items[i].Status.Review
		isRequired := func(d v1alpha1.ReviewedDependency) bool { return d.Requires == app.Spec.App }
		if review != nil && slices.ContainsFunc(review.Dependencies, isRequired) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}
