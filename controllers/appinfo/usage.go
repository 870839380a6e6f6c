package appinfo

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
)

// checkUnused returns an error while instances use the charts of a deleted app. An app whose
// namespace is deleted does not wait: a tenant must not be able to prevent that.
func checkUnused(ctx context.Context, r *Reconciler, s *scope) error {
	using, err := catalog.InstancesUsing(ctx, r.Client, s.app)
	if err != nil || len(using) == 0 {
		return err
	}
	namespace := &corev1.Namespace{}
	if err := r.Get(ctx, types.NamespacedName{Name: s.app.Namespace}, namespace); err != nil {
		return fmt.Errorf("get namespace %q: %w", s.app.Namespace, err)
	}
	if !namespace.DeletionTimestamp.IsZero() {
		return nil
	}
	return outcome.Waiting(v1alpha1.ReasonInUse, 0, fmt.Errorf(
		"app %q cannot be deleted while instances use its charts; uninstall the instances %s", s.app.Spec.App, catalog.UsersMessage(using)))
}

// appOfInstance returns the app of an instance.
func appOfInstance(_ context.Context, o client.Object) []reconcile.Request {
	instance, ok := o.(*v1alpha1.AppInstance)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: catalog.InstanceNamespace(instance), Name: instance.Spec.AppRef.AppInfoName()}}}
}

// releasedChartPredicate passes events of instances that no longer use a chart.
func releasedChartPredicate() predicate.Funcs {
	never := func(event.CreateEvent) bool { return false }
	return predicate.Funcs{CreateFunc: never, UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.AppInstance)
		after, also := e.ObjectNew.(*v1alpha1.AppInstance)
		return ok && also && catalog.UsesChart(before) &&
			(!catalog.UsesChart(after) || before.Status.Version != after.Status.Version)
	}}
}
