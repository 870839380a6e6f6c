package appinstance

import (
	"cmp"
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/release"
)

// InputWatcher requeues instances when a Secret or a ConfigMap that they read changes.
type InputWatcher interface {
	// WatchInputs replaces the watched Secrets and ConfigMaps of an instance.
	WatchInputs(instance types.NamespacedName, tenant release.Tenant, inputs []v1alpha1.ValuesReference) error
	// ForgetInputs stops watching the Secrets and ConfigMaps of an instance.
	ForgetInputs(instance types.NamespacedName)
}

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// inputHandler keeps the watched inputs of each instance up to date. It adds no requests: the
// watcher wakes instances when an input changes.
func inputHandler(r *Reconciler) handler.Funcs {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, _ requestQueue) { watchInputs(ctx, r, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, _ requestQueue) { watchInputs(ctx, r, e.ObjectNew) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ requestQueue) {
			r.Inputs.ForgetInputs(client.ObjectKeyFromObject(e.Object))
		},
	}
}

// watchInputs watches the inputs of an instance.
func watchInputs(ctx context.Context, r *Reconciler, object client.Object) {
	instance, ok := object.(*v1alpha1.AppInstance)
	if !ok {
		return
	}
	tenant := release.Tenant{Namespace: instance.Namespace, ServiceAccount: cmp.Or(instance.Spec.ServiceAccountName, defaultAccount)}
	if err := r.Inputs.WatchInputs(client.ObjectKeyFromObject(instance), tenant, InputsOf(instance)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not watch the inputs of an instance", "namespace", instance.Namespace, "name", instance.Name)
	}
}

// InputsOf returns the Secrets and ConfigMaps that an instance reads: its values, inputs and
// credential and, until its spec is resolved, the inputs for all apps in its namespace. It
// returns none for an instance that is removed or pinned to a revision, because it reads none.
func InputsOf(instance *v1alpha1.AppInstance) []v1alpha1.ValuesReference {
	spec := instance.Spec
	if !instance.DeletionTimestamp.IsZero() || spec.DesiredState == v1alpha1.StateUninstalled || spec.PinnedRevision != 0 {
		return nil
	}
	inputs := installplan.ValueSourcesFor(instance).References()
	if ref := spec.CredentialSecretRef; ref != nil {
		inputs = append(inputs, v1alpha1.ValuesReference{Kind: v1alpha1.ValuesFromSecret, Name: ref.Name, Key: ref.Key})
	}
	if meta.IsStatusConditionFalse(instance.Status.Conditions, v1alpha1.ConditionResolved) {
		inputs = append(inputs,
			v1alpha1.ValuesReference{Kind: v1alpha1.ValuesFromSecret, Name: installplan.TenantEnvs},
			v1alpha1.ValuesReference{Kind: v1alpha1.ValuesFromConfigMap, Name: installplan.TenantEnvs})
	}
	return inputs
}
