package appinstalltask

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
)

// tasksForSource returns the tasks that wait for a source.
func (h eventHandlers) tasksForSource(ctx context.Context, source client.Object) []reconcile.Request {
	return h.unfinishedTaskRequests(ctx, func(task *v1alpha1.AppInstallTask) bool {
		return sourceKey(task) == client.ObjectKeyFromObject(source).String()
	}, client.MatchingFields{TasksByReason: v1alpha1.ReasonWaitingForSource})
}

func (h eventHandlers) onAppCreated(ctx context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	h.enqueueTasksForApp(ctx, e.Object, true, queue)
}

func (h eventHandlers) onAppDeleted(ctx context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	h.enqueueTasksForApp(ctx, e.Object, true, queue)
}

func (h eventHandlers) onAppChanged(ctx context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	before, ok := e.ObjectOld.(*v1alpha1.AppInfo)
	after, also := e.ObjectNew.(*v1alpha1.AppInfo)
	if !ok || !also {
		return
	}
	isOther := before.Generation != after.Generation || !equality.Semantic.DeepEqual(before.Status.Versions, after.Status.Versions) ||
		!equality.Semantic.DeepEqual(before.Status.Summary, after.Status.Summary) || catalog.HasListingChanged(before, after)
	h.enqueueTasksForApp(ctx, after, isOther, queue)
}

// enqueueTasksForApp requeues the tasks that wait for the app or its source, because their message
// quotes its state. If isOther is true, the available versions or the summary have changed,
// and it also requeues the other tasks of the app that have not started and are first in
// their queue.
func (h eventHandlers) enqueueTasksForApp(ctx context.Context, app client.Object, isOther bool, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	pick := func(task *v1alpha1.AppInstallTask) bool {
		switch waitingReason(task) {
		case v1alpha1.ReasonWaitingForApp, v1alpha1.ReasonWaitingForSource:
			return true
		}
		return isOther && task.Status.InstanceRef == nil && task.Status.QueuePosition == 0
	}
	for _, request := range h.unfinishedTaskRequests(ctx, pick, client.MatchingFields{TasksByApp: client.ObjectKeyFromObject(app).String()}) {
		queue.Add(request)
	}
}

// unfinishedTaskRequests returns a request for each unfinished task that matches the list options and the
// function.
func (h eventHandlers) unfinishedTaskRequests(ctx context.Context, pick func(*v1alpha1.AppInstallTask) bool, options ...client.ListOption) []reconcile.Request {
	tasks, err := listUnfinishedTasks(ctx, h, options...)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list waiting tasks")
		return nil
	}
	var requests []reconcile.Request
	for i := range tasks {
		if task := &tasks[i]; pick == nil || pick(task) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(task)})
		}
	}
	return requests
}

// listUnfinishedTasks returns the tasks that match the list options, which must use an index that
// omits finished tasks. Do not change the tasks: they belong to the cache.
func listUnfinishedTasks(ctx context.Context, reader client.Reader, options ...client.ListOption) ([]v1alpha1.AppInstallTask, error) {
	var list v1alpha1.AppInstallTaskList
	if err := reader.List(ctx, &list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	return list.Items, nil
}
