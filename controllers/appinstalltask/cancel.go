package appinstalltask

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/transitions"
)

// cancelTarget performs the action Cancel. It records the name of the target task in
// status.targetTask, where the target task finds it, and waits for that task to end. It
// does not wait in the queue of the instance.
func (r *Reconciler) cancelTarget(ctx context.Context, s *scope) error {
	if s.task.Status.TargetTask == "" {
		if err := selectTarget(ctx, r, s); err != nil {
			return status.ForCondition(v1alpha1.ConditionAdmitted, err)
		}
	}
	name := s.task.Status.TargetTask
	target := &v1alpha1.AppInstallTask{}
	err := r.Get(ctx, types.NamespacedName{Namespace: s.task.Namespace, Name: name}, target)
	switch {
	case apierrors.IsNotFound(err):
		return wrongStateError("task %q was deleted before it was canceled", name)
	case err != nil:
		return fmt.Errorf("get task %q: %w", name, err)
	case newOwnership(target, "", nil).isPastCancel:
		return wrongStateError("task %q (%s) of instance %q has started and cannot be canceled; wait for its end", name, target.Spec.Action, target.Instance())
	case !target.Finished():
		s.statusWriter.MarkTrue(v1alpha1.ConditionAdmitted, v1alpha1.ReasonAdmitted, fmt.Sprintf("canceling task %q", name))
		return outcome.Waiting(v1alpha1.ReasonProgressing, 0, fmt.Errorf("canceling task %q (%s)", name, target.Spec.Action))
	case !hasBeenCanceled(target):
		return wrongStateError("task %q ended before it was canceled", name)
	}
	s.statusWriter.MarkTrue(v1alpha1.ConditionAdmitted, v1alpha1.ReasonAdmitted, fmt.Sprintf("canceling task %q", name))
	s.statusWriter.SetReady(v1alpha1.ReasonSucceeded, fmt.Sprintf("task %q (%s) was canceled", name, target.Spec.Action))
	return nil
}

// selectTarget chooses the task to cancel: spec.cancelTask.name, or else the running task of the
// instance, or else the next task in the queue. A Cancel that was deleted and applied again
// chooses the task that it canceled before.
func selectTarget(ctx context.Context, r *Reconciler, s *scope) error {
	target, err := previouslyCanceledTask(ctx, r, s)
	if err != nil {
		return err
	}
	if target == "" {
		if target, err = defaultCancelTarget(ctx, r, s); err != nil {
			return err
		}
	}
	s.task.Status.TargetTask = target
	s.statusWriter.MarkReconciling(fmt.Sprintf("canceling task %q", target))
	return s.statusWriter.Save(ctx)
}

func defaultCancelTarget(ctx context.Context, r *Reconciler, s *scope) (string, error) {
	waiting, err := queuedTasks(ctx, r, s)
	if err != nil {
		return "", err
	}
	slices.SortFunc(waiting, compareQueueOrder(s.ownership.record.Task))
	named := s.task.Spec.CancelTaskName()
	at := slices.IndexFunc(waiting, func(t v1alpha1.AppInstallTask) bool { return named == "" || t.Name == named })
	switch {
	case at < 0 && named != "":
		return "", wrongStateError("spec.cancelTask.name: instance %q has no unfinished task %q; set the name of an unfinished task", s.task.Instance(), named)
	case at < 0:
		return "", wrongStateError("instance %q has no unfinished task to cancel", s.task.Instance())
	}
	return waiting[at].Name, nil
}

// previouslyCanceledTask returns the name of the task that this Cancel canceled before, or "" if there is
// none.
func previouslyCanceledTask(ctx context.Context, r *Reconciler, s *scope) (string, error) {
	this := v1alpha1.TaskReference{Name: s.task.Name, Hash: s.hash}
	var list v1alpha1.AppInstallTaskList
	err := r.List(ctx, &list, client.InNamespace(s.task.Namespace), client.MatchingFields{TasksByCancel: s.task.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return "", fmt.Errorf("list tasks of instance %q: %w", s.task.Instance(), err)
	}
	for i := range list.Items {
		if *list.Items[i].Status.CanceledBy == this && list.Items[i].Instance() == s.task.Instance() {
			return list.Items[i].Name, nil
		}
	}
	return "", nil
}

func wrongStateError(format string, args ...any) error {
	return status.ForCondition(v1alpha1.ConditionAdmitted, outcome.Stalled(v1alpha1.ReasonInvalidState, fmt.Errorf(format, args...)))
}

func hasBeenCanceled(task *v1alpha1.AppInstallTask) bool {
	for _, c := range task.Status.Conditions {
		if c.Type == v1alpha1.ConditionSucceeded {
			return c.Reason == v1alpha1.ReasonCanceled
		}
	}
	return false
}

// handleCancellation ends a canceled task that has not yet written its instance, and starts to revert a
// task that has.
func (r *Reconciler) handleCancellation(ctx context.Context, s *scope) error {
	if s.ownership.isReverting || s.ownership.isRecorded && s.ownership.isPastCancel {
		return nil
	}
	by, err := canceledBy(ctx, r, s)
	if err != nil || by == "" {
		return err
	}
	s.task.Status.RequiredInputs, s.task.Status.Preflight = nil, nil
	why := v1alpha1.Problem{Reason: v1alpha1.ReasonCanceled, Message: "canceled by " + by}
	if err := readInstanceLive(ctx, r, s); err != nil {
		return err
	}
	if !s.ownership.isRecorded && !s.ownership.isWriter {
		return revertSubtasks(ctx, r, s, why)
	}
	if s.ownership.isPastCancel {
		return nil // The operation has started, and the status update was lost.
	}
	return startRevert(ctx, s, why)
}

// readInstanceLive reads the instance from the API server if status.instanceRef is not set. The task
// may have written the instance just before the edit that cancels it made its status update
// fail, and the cache may not yet contain that write.
func readInstanceLive(ctx context.Context, r *Reconciler, s *scope) error {
	if s.ownership.isRecorded {
		return nil
	}
	instance := &v1alpha1.AppInstance{}
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: s.task.Namespace, Name: s.task.Instance()}, instance)
	if err == nil {
		s.setInstance(instance)
	}
	return client.IgnoreNotFound(err)
}

// isCanceled reports whether spec.cancel of a task is true.
func isCanceled(task *v1alpha1.AppInstallTask) bool {
	return task.Spec.Cancel != nil && *task.Spec.Cancel
}

// canceledBy returns the field or the task that cancels the task, or "" if it is not
// canceled. It records a Cancel task in status.canceledBy.
func canceledBy(ctx context.Context, r *Reconciler, s *scope) (string, error) {
	if isCanceled(s.task) {
		return "spec.cancel", nil
	}
	tasks, err := listUnfinishedTasks(ctx, r, client.InNamespace(s.task.Namespace), client.MatchingFields{TasksByInstance: s.task.Instance()})
	if err != nil {
		return "", fmt.Errorf("instance %q: %w", s.task.Instance(), err)
	}
	for i := range tasks {
		other := &tasks[i]
		if isCancel(other) && other.Status.TargetTask == s.task.Name && !other.Finished() {
			hash, err := transitions.HashSpec(other)
			s.task.Status.CanceledBy = &v1alpha1.TaskReference{Name: other.Name, Hash: hash}
			return fmt.Sprintf("task %q", other.Name), err
		}
	}
	return "", nil
}
