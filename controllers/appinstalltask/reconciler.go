// Package appinstalltask carries out wishes: it checks a task, writes the
// AppInstance, follows it to the end and keeps the result. It never runs Helm.
//
// Before a task is admitted, everything that stands in its way is reported at
// once, and its parameters may still be edited. Tasks of the same instance take
// turns by age; those of different instances know nothing of each other. Once the
// instance is written, the task only watches: its conditions are those of the
// instance for the generation that it wrote.
package appinstalltask

import (
	"context"
	"time"

	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
)

// Reconciler reconciles AppInstallTasks.
type Reconciler struct {
	client.Client
	Recorder events.EventRecorder
	Catalog  *catalog.Catalog
	// Tenants reads the objects that values come from, as the tenant.
	Tenants TenantReader
}

// TenantReader gives a reader that may read what a service account may read.
type TenantReader interface {
	ReaderFor(tenant release.Tenant) (client.Reader, error)
}

// scope is what one reconcile knows.
type scope struct {
	task     *v1alpha1.AppInstallTask
	keeper   *status.Keeper
	instance *v1alpha1.AppInstance // nil when there is none
	app      *catalog.App
	version  *v1alpha1.PublishedVersion
}

// +kubebuilder:rbac:groups=appmarket.io,resources=appinstalltasks,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups=appmarket.io,resources=appinstalltasks/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinstances,verbs=get;list;watch;create;update;patch

// Reconcile takes one task a step further.
func (r *Reconciler) Reconcile(ctx context.Context, task *v1alpha1.AppInstallTask) (result ctrl.Result, err error) {
	if !task.DeletionTimestamp.IsZero() {
		return result, nil
	}
	if task.Finished() {
		return r.expire(ctx, task)
	}
	keeper := status.Begin(r.Client, r.Recorder, status.AppInstallTask, task)
	defer func() { result, err = keeper.End(ctx, ended(task, err), 0) }()
	s := &scope{task: task, keeper: keeper}
	for _, phase := range []func(context.Context, *scope) error{
		r.readInstance, // sets s.instance
		r.await,
		r.admit, // sets s.app and s.version
		r.write,
		r.follow,
	} {
		if err := phase(ctx, s); err != nil {
			return result, err
		}
	}
	return result, nil
}

// expire removes a finished task when its time has come.
func (r *Reconciler) expire(ctx context.Context, task *v1alpha1.AppInstallTask) (ctrl.Result, error) {
	ttl := task.Spec.TTLSecondsAfterFinished
	if ttl == nil || tracked(task) {
		return ctrl.Result{}, nil
	}
	left := time.Until(task.Status.CompletionTime.Add(time.Duration(*ttl) * time.Second))
	if left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(r.Delete(ctx, task))
}

// tracked reports whether a GitOps tool keeps the task: it would create it again,
// and the task would run again.
func tracked(task *v1alpha1.AppInstallTask) bool {
	_, argo := task.Annotations["argocd.argoproj.io/tracking-id"]
	_, hook := task.Annotations["argocd.argoproj.io/hook"]
	_, flux := task.Labels["kustomize.toolkit.fluxcd.io/name"]
	return argo && !hook || flux
}
