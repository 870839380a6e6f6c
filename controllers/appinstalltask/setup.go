package appinstalltask

import (
	"cmp"
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
)

// TasksByApp is the name of the index of AppInstallTasks by the AppInfo that they
// wish for, as AppKey writes it.
const TasksByApp = "spec.app"

// AppKey is namespace and name of the AppInfo that a task wishes for.
func AppKey(task *v1alpha1.AppInstallTask) string {
	return cmp.Or(task.Spec.App.Namespace, task.Namespace) + "/" + task.Spec.App.AppInfoName()
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, options controller.Options) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.AppInstallTask{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.AppInstallTask{}, handler.EnqueueRequestsFromMapFunc(r.next), builder.WithPredicates(left())).
		Watches(&v1alpha1.AppInstallTask{}, handler.Funcs{CreateFunc: r.cancels, UpdateFunc: r.isCancelled}).
		Watches(&v1alpha1.AppInstance{}, handler.EnqueueRequestsFromMapFunc(r.concerned)).
		Watches(&v1alpha1.AppInfo{}, handler.EnqueueRequestsFromMapFunc(r.wishing)).
		WithOptions(options).
		Complete(reconcile.AsReconciler(r.Client, r))
}

// urgent is the priority of what somebody waits for while much else is to be done.
const urgent = 100

// cancels brings a Cancel before everything else in the queue.
func (r *Reconciler) cancels(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	if task, ok := e.Object.(*v1alpha1.AppInstallTask); ok && task.Spec.Action == v1alpha1.ActionCancel && !task.Finished() {
		hasten(queue, task.Namespace, task.Name)
	}
}

// isCancelled brings a task that is cancelled, or that a Cancel is about, before
// everything else in the queue.
func (r *Reconciler) isCancelled(_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	before, ok := e.ObjectOld.(*v1alpha1.AppInstallTask)
	after, also := e.ObjectNew.(*v1alpha1.AppInstallTask)
	if !ok || !also {
		return
	}
	if before.Spec.Cancel == nil && after.Spec.Cancel != nil {
		hasten(queue, after.Namespace, after.Name)
	}
	if target := after.Status.TargetTask; target != before.Status.TargetTask {
		hasten(queue, after.Namespace, target)
	}
}

func hasten(queue workqueue.TypedRateLimitingInterface[reconcile.Request], namespace, name string) {
	request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
	if ordered, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		priority := urgent
		ordered.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, request)
		return
	}
	queue.Add(request)
}

// left passes a task that has left its queue, that has found the task to cancel, or
// whose parent is to hear of it.
func left() predicate.Funcs {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*v1alpha1.AppInstallTask)
			after, also := e.ObjectNew.(*v1alpha1.AppInstallTask)
			if !ok || !also {
				return false
			}
			step := after.Labels[v1alpha1.ParentLabel] != "" && before.ResourceVersion != after.ResourceVersion
			return step || before.Finished() != after.Finished() || before.Status.TargetTask != after.Status.TargetTask
		},
	}
}

// next are the tasks that wait behind one of the same instance, or are cancelled by
// it, the one that it is a step of, and itself if it is to go after a while.
func (r *Reconciler) next(ctx context.Context, o client.Object) []reconcile.Request {
	task, ok := o.(*v1alpha1.AppInstallTask)
	if !ok {
		return nil
	}
	requests := r.unfinished(ctx, nil, client.InNamespace(task.Namespace), client.MatchingFields{TasksByInstance: task.Instance()})
	if task.Finished() && task.Spec.TTLSecondsAfterFinished != nil {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(task)})
	}
	if parent := task.Labels[v1alpha1.ParentLabel]; parent != "" {
		from := cmp.Or(task.Labels[v1alpha1.ParentNamespaceLabel], task.Namespace)
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: from, Name: parent}})
	}
	return requests
}

// concerned are the tasks that act on an instance, or wait for one that they
// depend on: in its namespace, or anywhere if it serves the whole cluster.
func (r *Reconciler) concerned(ctx context.Context, o client.Object) []reconcile.Request {
	instance, ok := o.(*v1alpha1.AppInstance)
	if !ok {
		return nil
	}
	needy := func(task *v1alpha1.AppInstallTask) bool {
		c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling)
		return c != nil && c.Reason == v1alpha1.ReasonWaitingForDependency
	}
	requests := r.unfinished(ctx, func(task *v1alpha1.AppInstallTask) bool {
		return task.Instance() == o.GetName() || needy(task)
	}, client.InNamespace(o.GetNamespace()))
	if serves(instance) {
		requests = append(requests, r.unfinished(ctx, needy, client.MatchingFields{TasksByApp: appOf(instance)})...)
	}
	return requests
}

// wishing are the tasks that wish for an app.
func (r *Reconciler) wishing(ctx context.Context, o client.Object) []reconcile.Request {
	return r.unfinished(ctx, nil, client.MatchingFields{TasksByApp: client.ObjectKeyFromObject(o).String()})
}

// unfinished are the tasks that have not ended, of those that the options and the
// function pick. They are only read, so that no copies are made.
func (r *Reconciler) unfinished(ctx context.Context, pick func(*v1alpha1.AppInstallTask) bool, options ...client.ListOption) []reconcile.Request {
	var list v1alpha1.AppInstallTaskList
	if err := r.List(ctx, &list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list waiting tasks")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		task := &list.Items[i]
		if !task.Finished() && (pick == nil || pick(task)) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(task)})
		}
	}
	return requests
}
