package appinstalltask

import (
	"context"
	"maps"
	"time"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/taskrecord"
)

// progressInterval is the delay before a task shows the progress of its instance. Most
// operations end within it, so that their intermediate states cause no reconcile.
const progressInterval = time.Second

func (h eventHandlers) onInstanceCreated(ctx context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	h.enqueueTasksForInstance(ctx, queue, e.Object)
}

func (h eventHandlers) onInstanceChanged(ctx context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	h.enqueueTasksForInstance(ctx, queue, e.ObjectOld, e.ObjectNew)
}

func (h eventHandlers) onInstanceDeleted(ctx context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	h.enqueueTasksForInstance(ctx, queue, e.Object)
}

// enqueueTasksForInstance requeues the tasks that depend on the old or the new state of an instance. If
// the operation of a task has only made progress, the task is requeued after
// progressInterval, otherwise immediately.
func (h eventHandlers) enqueueTasksForInstance(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request], states ...client.Object) {
	now, ok := states[len(states)-1].(*v1alpha1.AppInstance)
	if !ok {
		return
	}
	record, err := taskrecord.ReadRecord(now)
	woken := map[reconcile.Request]bool{}
	for _, state := range states {
		for _, request := range h.tasksForInstance(ctx, state) {
			if woken[request] {
				continue
			}
			woken[request] = true
			task := &v1alpha1.AppInstallTask{}
			isWriter := err == nil && request.Namespace == now.Namespace && request.Name == record.Task
			if isWriter && h.Get(ctx, request.NamespacedName, task, client.UnsafeDisableDeepCopy) == nil && isOnlyProgress(task, now) {
				queue.AddAfter(request, progressInterval)
			} else {
				queue.Add(request)
			}
		}
	}
}

// isOnlyProgress reports whether an instance is still processing the last write of a task.
// A task that has not yet recorded its write is requeued immediately, unless the UID in the
// record shows that the task is about to record it. So is a task that is being canceled
// or reverted.
func isOnlyProgress(task *v1alpha1.AppInstallTask, instance *v1alpha1.AppInstance) bool {
	own := newOwnership(task, "", instance)
	if own.isReverting || isCanceled(task) || !instance.DeletionTimestamp.IsZero() || hasConcluded(instance, instance.Generation) {
		return false
	}
	ref := task.Status.InstanceRef
	if ref == nil {
		return own.isSigned
	}
	return ref.UID == string(instance.UID) && ref.Generation == instance.Generation
}

// reasonsForInstances are the reasons of Reconciling of a task that waits for other instances.
var reasonsForInstances = []string{v1alpha1.ReasonWaitingForDependency, v1alpha1.ReasonConflictingApp, v1alpha1.ReasonSingleInstance}

// tasksForInstance returns the tasks that act on an instance or wait for it, as a dependency or
// because of a conflict. The tasks that wait for a shared instance, or for an instance that can
// exist once in the cluster or its removal, can be in any namespace.
func (h eventHandlers) tasksForInstance(ctx context.Context, o client.Object) []reconcile.Request {
	instance, ok := o.(*v1alpha1.AppInstance)
	if !ok {
		return nil
	}
	here := client.InNamespace(o.GetNamespace())
	requests := h.unfinishedTaskRequests(ctx, isAffectedByInstance, here, client.MatchingFields{TasksByInstance: o.GetName()})
	for _, reason := range reasonsForInstances {
		requests = append(requests, h.unfinishedTaskRequests(ctx, nil, here, client.MatchingFields{TasksByReason: reason})...)
	}
	isSameApp := func(t *v1alpha1.AppInstallTask) bool { return AppKey(t) == catalog.InstanceKey(instance) }
	if admission.IsRemoved(instance) {
		requests = append(requests, h.unfinishedTaskRequests(ctx, isSameApp, client.MatchingFields{TasksByReason: v1alpha1.ReasonSingleInstance})...)
	}
	if admission.IsSharedInstance(instance) {
		requests = append(requests, h.unfinishedTaskRequests(ctx, isSameApp, client.MatchingFields{TasksByReason: v1alpha1.ReasonWaitingForDependency})...)
	}
	isSingleton, err := admission.IsReadySingleton(ctx, h, instance)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not determine whether tasks in other namespaces wait for an instance")
	}
	if isSingleton {
		isSameSource := func(t *v1alpha1.AppInstallTask) bool { return sourceKey(t) == catalog.SourceKey(instance) }
		requests = append(requests, h.unfinishedTaskRequests(ctx, isSameSource, client.MatchingFields{TasksByReason: v1alpha1.ReasonWaitingForDependency})...)
	}
	return requests
}

// tasksForNamespace returns the tasks that a change of the labels of a namespace may affect: the
// tasks in it that wait for a source and, if the namespace may contain a shared chart, the tasks
// that wait for a dependency.
func (h eventHandlers) tasksForNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	requests := h.unfinishedTaskRequests(ctx, nil, client.InNamespace(namespace.GetName()), client.MatchingFields{TasksByReason: v1alpha1.ReasonWaitingForSource})
	if _, labeled := namespace.GetLabels()[v1alpha1.SharedPartsLabel]; labeled {
		requests = append(requests, h.unfinishedTaskRequests(ctx, nil, client.MatchingFields{TasksByReason: v1alpha1.ReasonWaitingForDependency})...)
	}
	return requests
}

// labelsChanged passes updates that change labels.
var labelsChanged = predicate.Funcs{
	CreateFunc: func(event.CreateEvent) bool { return false },
	DeleteFunc: func(event.DeleteEvent) bool { return false },
	UpdateFunc: func(e event.UpdateEvent) bool { return !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) },
}

// isAffectedByInstance reports whether a task has written its instance, or waits for the state of
// the instance rather than for other tasks.
func isAffectedByInstance(task *v1alpha1.AppInstallTask) bool {
	return hasStarted(task) || task.Status.QueuePosition == 0
}
