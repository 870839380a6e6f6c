package marketsource

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// protectUsed adds the finalizer when the first instance uses a chart of the source. A source
// without such instances has none, so that it can be deleted without an operator.
func (r *Reconciler) protectUsed(ctx context.Context, s *scope) error {
	if controllerutil.ContainsFinalizer(s.source, v1alpha1.Finalizer) {
		return nil
	}
	using, err := catalog.InstancesUsingSource(ctx, r.Client, s.source)
	if err != nil || len(using) == 0 {
		return err
	}
	return s.statusWriter.AddFinalizer(ctx)
}

// finalizeSource removes the finalizer of a deleted source when no instance uses its charts. A
// source whose namespace is deleted does not wait: a tenant must not be able to prevent that.
func (r *Reconciler) finalizeSource(ctx context.Context, source *v1alpha1.MarketSource) (result ctrl.Result, err error) {
	if !controllerutil.ContainsFinalizer(source, v1alpha1.Finalizer) {
		return result, nil
	}
	writer := status.NewWriter(r.Client, r.Recorder, status.MarketSource, source)
	defer func() { result, err = writer.Finish(ctx, err, 0) }()
	defer outcome.Recover(&err)
	using, err := catalog.InstancesUsingSource(ctx, r.Client, source)
	if err != nil {
		return result, err
	}
	namespace := &corev1.Namespace{}
	if err := r.Get(ctx, types.NamespacedName{Name: source.Namespace}, namespace); err != nil {
		return result, fmt.Errorf("get namespace %q: %w", source.Namespace, err)
	}
	if len(using) > 0 && namespace.DeletionTimestamp.IsZero() {
		return result, outcome.Waiting(v1alpha1.ReasonInUse, 0, fmt.Errorf(
			"source %q cannot be deleted while instances use its charts; uninstall the instances %s", source.Name, catalog.UsersMessage(using)))
	}
	return result, writer.RemoveFinalizer(ctx)
}

// sourceOfInstance returns the source of an instance.
func sourceOfInstance(_ context.Context, o client.Object) []reconcile.Request {
	instance, ok := o.(*v1alpha1.AppInstance)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: catalog.InstanceNamespace(instance), Name: instance.Spec.AppRef.Source}}}
}

// usagePredicate passes events of instances that start or stop using a chart.
func usagePredicate() predicate.Funcs {
	uses := func(o client.Object) bool {
		instance, ok := o.(*v1alpha1.AppInstance)
		return ok && catalog.UsesChart(instance)
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return uses(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool { return uses(e.ObjectOld) != uses(e.ObjectNew) },
		DeleteFunc: func(e event.DeleteEvent) bool { return uses(e.Object) },
	}
}
