package appinstalltask

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
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
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/fairlimiter"
)

// Names of the field indexes of AppInstallTasks. All except TasksByCancel omit finished
// tasks, so that finished tasks do not slow down lookups.
const (
	// TasksByInstance indexes tasks by the name of their AppInstance.
	TasksByInstance = "spec.instanceName"
	// TasksByApp indexes tasks by their AppInfo, in the form that AppKey returns.
	TasksByApp = "spec.appRef"
	// TasksByReason indexes tasks by the reason of their Reconciling condition.
	TasksByReason = "status.reconciling"
	// TasksWithValues indexes the tasks that have values or inputs.
	TasksWithValues = "spec.values"
	// TasksByCancel indexes finished tasks by the Cancel task that ended them.
	TasksByCancel = "status.canceledBy"
)

// Indexes contains the key function of each index by its name.
var Indexes = map[string]func(*v1alpha1.AppInstallTask) string{
	TasksByInstance: indexUnfinishedBy((*v1alpha1.AppInstallTask).Instance),
	TasksByApp:      indexUnfinishedBy(AppKey),
	TasksByReason:   indexUnfinishedBy(waitingReason),
	TasksWithValues: indexUnfinishedBy(valuesIndexKey),
	TasksByCancel: func(task *v1alpha1.AppInstallTask) string {
		if by := task.Status.CanceledBy; by != nil && task.Finished() {
			return by.Name
		}
		return ""
	},
}

func indexUnfinishedBy(key func(*v1alpha1.AppInstallTask) string) func(*v1alpha1.AppInstallTask) string {
	return func(task *v1alpha1.AppInstallTask) string {
		if task.Finished() {
			return ""
		}
		return key(task)
	}
}

// AddIndexes registers the indexes.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for name, key := range Indexes {
		err := indexer.IndexField(ctx, &v1alpha1.AppInstallTask{}, name, func(o client.Object) []string {
			if value := key(o.(*v1alpha1.AppInstallTask)); value != "" {
				return []string{value}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("index tasks by %s: %w", name, err)
		}
	}
	return nil
}

// AppKey returns the namespace and the name of the AppInfo of a task.
func AppKey(task *v1alpha1.AppInstallTask) string {
	return catalog.AppKey(task.Spec.AppRef, task.Namespace)
}

// sourceKey returns the namespace and the name of the source of a task.
func sourceKey(task *v1alpha1.AppInstallTask) string {
	return cmp.Or(task.Spec.AppRef.Namespace, task.Namespace) + "/" + task.Spec.AppRef.Source
}

// waitingReason returns the reason of the Reconciling condition, or "" if there is none.
func waitingReason(task *v1alpha1.AppInstallTask) string {
	if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling); c != nil {
		return c.Reason
	}
	return ""
}

// eventHandlers maps the events of objects to the tasks that they affect.
type eventHandlers struct {
	client.Reader
	turns  *fairlimiter.Limiter
	inputs InputWatcher
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, options controller.Options) error {
	h := eventHandlers{Reader: r.Client, turns: r.Turns, inputs: r.Inputs}
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.AppInstallTask{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.AppInstallTask{}, handler.EnqueueRequestsFromMapFunc(h.nextInQueue), builder.WithPredicates(leftQueuePredicate())).
		Watches(&v1alpha1.AppInstallTask{}, handler.Funcs{CreateFunc: h.onCancelCreated, UpdateFunc: h.onTaskCanceled}).
		Watches(&v1alpha1.AppInstallTask{}, handler.Funcs{CreateFunc: h.onTaskCreated}).
		Watches(&v1alpha1.AppInstance{}, handler.Funcs{CreateFunc: h.onInstanceCreated, UpdateFunc: h.onInstanceChanged, DeleteFunc: h.onInstanceDeleted}).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(h.tasksForNamespace), builder.WithPredicates(labelsChanged)).
		Watches(&v1alpha1.MarketSource{}, handler.EnqueueRequestsFromMapFunc(h.tasksForSource)).
		Watches(&v1alpha1.AppInfo{}, handler.Funcs{CreateFunc: h.onAppCreated, UpdateFunc: h.onAppChanged, DeleteFunc: h.onAppDeleted}).
		Watches(&v1alpha1.AppInstallTask{}, handler.Funcs{DeleteFunc: h.onTaskDeleted}).
		WatchesRawSource(source.Func(r.queue.Start)).
		WithOptions(options).
		Complete(reconcile.AsReconciler(r.Client, r))
}

// onTaskDeleted removes a deleted task from the limiter and ends the watches of its inputs, since no
// reconcile of the task follows.
func (h eventHandlers) onTaskDeleted(_ context.Context, e event.DeleteEvent, _ workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	h.turns.Cancel(client.ObjectKeyFromObject(e.Object))
	h.inputs.ForgetInputs(client.ObjectKeyFromObject(e.Object))
}

// urgent is the priority of requests that overtake all others in the workqueue.
const urgent = 100

// onCancelCreated gives a new Cancel task precedence in the workqueue.
func (h eventHandlers) onCancelCreated(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	if task, ok := e.Object.(*v1alpha1.AppInstallTask); ok && isCancel(task) && !task.Finished() {
		enqueueUrgent(queue, task.Namespace, task.Name)
	}
}

// onTaskCreated requeues the first task in the queue of an instance, if it is idle, when another
// task joins the queue: the message of the first task mentions that it blocks others.
func (h eventHandlers) onTaskCreated(ctx context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	task, ok := e.Object.(*v1alpha1.AppInstallTask)
	if !ok || !isQueued(task) {
		return
	}
	tasks, err := listUnfinishedTasks(ctx, h, client.InNamespace(task.Namespace), client.MatchingFields{TasksByInstance: task.Instance()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list waiting tasks")
		return
	}
	for _, first := range firstInQueue(tasks, 1) {
		if first.Name != task.Name && idleMessage(&first) != "" {
			queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&first)})
		}
	}
}

// onTaskCanceled gives a task that is canceled precedence in the workqueue.
func (h eventHandlers) onTaskCanceled(_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	before, ok := e.ObjectOld.(*v1alpha1.AppInstallTask)
	after, also := e.ObjectNew.(*v1alpha1.AppInstallTask)
	if !ok || !also {
		return
	}
	if !isCanceled(before) && isCanceled(after) {
		enqueueUrgent(queue, after.Namespace, after.Name)
	}
	if target := after.Status.TargetTask; target != before.Status.TargetTask {
		enqueueUrgent(queue, after.Namespace, target)
	}
}

func enqueueUrgent(queue workqueue.TypedRateLimitingInterface[reconcile.Request], namespace, name string) {
	request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
	if ordered, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		priority := urgent
		ordered.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, request)
		return
	}
	queue.Add(request)
}

// leftQueuePredicate passes updates of tasks that have left the queue, of Cancel tasks that have found
// their target, and of subtasks.
func leftQueuePredicate() predicate.Funcs {
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

// maxRequeuedTasks is the number of tasks of an instance that are requeued when a task leaves
// the queue: the next task starts, and the others update their position. The tasks behind
// them are requeued later, so that the cost of a task does not grow with the length of the
// queue.
const maxRequeuedTasks = 10

// nextInQueue returns the tasks to reconcile when a task has left the queue: the next tasks of the
// same instance, the Cancel tasks that target it, its parent task, and the task itself if
// it is deleted after a time.
func (h eventHandlers) nextInQueue(ctx context.Context, o client.Object) []reconcile.Request {
	task, ok := o.(*v1alpha1.AppInstallTask)
	if !ok {
		return nil
	}
	var requests []reconcile.Request
	add := func(namespace, name string) {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
	}
	line, err := listUnfinishedTasks(ctx, h, client.InNamespace(task.Namespace), client.MatchingFields{TasksByInstance: task.Instance()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list waiting tasks")
		return nil
	}
	first := firstInQueue(line, maxRequeuedTasks)
	for i := range first {
		add(task.Namespace, first[i].Name)
	}
	for i := range line {
		if isCancel(&line[i]) && line[i].Status.TargetTask == task.Name {
			add(task.Namespace, line[i].Name)
		}
	}
	if task.Finished() && ttlOf(task) != nil {
		add(task.Namespace, task.Name)
	}
	if parent := task.Labels[v1alpha1.ParentLabel]; parent != "" {
		add(cmp.Or(task.Labels[v1alpha1.ParentNamespaceLabel], task.Namespace), parent)
	}
	return requests
}
