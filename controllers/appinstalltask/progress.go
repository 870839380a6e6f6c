package appinstalltask

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// waitForInstance copies the progress conditions of the instance to the task, and ends the task when
// the instance has completed the operation or failed.
func (r *Reconciler) waitForInstance(ctx context.Context, s *scope) error {
	if err := refreshInstance(ctx, r, s); err != nil {
		return err
	}
	if s.ownership.isReverting {
		return finishRevert(ctx, r, s)
	}
	ref := s.task.Status.InstanceRef
	if s.instance == nil || string(s.instance.UID) != ref.UID {
		return outcome.Stalled(v1alpha1.ReasonInterrupted, fmt.Errorf("instance %q was deleted before the operation was complete", ref.Name))
	}
	if by := changedBy(ctx, r, s); by != "" {
		return outcome.Stalled(v1alpha1.ReasonInterrupted, fmt.Errorf(
			"instance %q was changed by %s before the operation was complete; see the conditions of the instance", ref.Name, by))
	}
	for _, milestone := range status.AppInstance.Progress {
		if c := conditionForGeneration(s.instance, milestone, ref.Generation); c != nil && c.Status == metav1.ConditionTrue {
			s.statusWriter.MarkTrue(milestone, c.Reason, c.Message)
		}
	}
	if stalled := stalledCondition(s.instance, ref.Generation); stalled != nil {
		return failTask(ctx, r, s, stalled.Reason, stalled.Message)
	}
	if !isInstanceReady(s.instance, ref.Generation) {
		err := progressError(s.task, conditionForGeneration(s.instance, v1alpha1.ConditionReconciling, ref.Generation))
		if outcome.IsStalled(err) && shouldRevertOnFailure(s) {
			return failTask(ctx, r, s, outcome.Reason(err, v1alpha1.ReasonTimedOut), err.Error())
		}
		return err
	}
	if s.action.complete != nil {
		if err := s.action.complete(ctx, r, s); err != nil {
			return err
		}
	}
	failpoint.Point(failpoint.TaskNoted, s.task.Namespace+"/"+s.task.Name)
	s.task.Status.Outputs = s.instance.Status.Outputs
	s.task.Status.Revision = s.instance.Status.Revision
	s.task.Status.Version = s.instance.Status.Version
	s.statusWriter.SetReady(v1alpha1.ReasonSucceeded, conditionForGeneration(s.instance, v1alpha1.ConditionReady, ref.Generation).Message)
	return nil
}

// refreshInstance reads the instance from the API server if the cache does not yet contain the
// write of this task. Otherwise the cached instance would look as if another client had
// changed it.
func refreshInstance(ctx context.Context, r *Reconciler, s *scope) error {
	ref := s.task.Status.InstanceRef
	if ref == nil || s.instance != nil && string(s.instance.UID) == ref.UID && s.instance.Generation >= ref.Generation && s.ownership.isWriter {
		return nil
	}
	instance := &v1alpha1.AppInstance{}
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: s.task.Namespace, Name: ref.Name}, instance)
	if apierrors.IsNotFound(err) {
		s.setInstance(nil)
		return nil
	}
	if err != nil {
		return fmt.Errorf("get instance %q: %w", ref.Name, err)
	}
	s.setInstance(instance)
	return nil
}

// failTask ends the task after its instance has failed, and first reverts it if spec.onFailure
// requires that.
func failTask(ctx context.Context, r *Reconciler, s *scope, reason, message string) error {
	if shouldRevertOnFailure(s) {
		if err := startRevert(ctx, s, newProblem(reason, message)); err != nil {
			return err
		}
		return finishRevert(ctx, r, s)
	}
	return status.ForCondition(firstFailedCondition(s.instance.Status.Conditions), outcome.Stalled(reason, errors.New(message)))
}

// conditionForGeneration returns a condition of the instance if it was observed for the given generation
// or a later one, otherwise nil.
func conditionForGeneration(instance *v1alpha1.AppInstance, kind string, generation int64) *metav1.Condition {
	c := meta.FindStatusCondition(instance.Status.Conditions, kind)
	if c == nil || c.ObservedGeneration < generation {
		return nil
	}
	return c
}

// hasConcluded reports whether the instance controller has observed the spec of the given
// generation and handled the reconcile request. A task requests a reconcile even if it does
// not change the spec.
func hasConcluded(instance *v1alpha1.AppInstance, generation int64) bool {
	st := instance.Status
	return st.ObservedGeneration >= generation && st.LastHandledReconcileAt == instance.Annotations[v1alpha1.ReconcileRequestAnnotation]
}

// stalledCondition returns the Stalled condition of the instance if the operation of the task has
// failed, otherwise nil.
func stalledCondition(instance *v1alpha1.AppInstance, generation int64) *metav1.Condition {
	if !hasConcluded(instance, generation) {
		return nil
	}
	return conditionForGeneration(instance, v1alpha1.ConditionStalled, generation)
}

// isInstanceReady reports whether the instance has completed the operation of the task and is
// ready.
func isInstanceReady(instance *v1alpha1.AppInstance, generation int64) bool {
	root := conditionForGeneration(instance, v1alpha1.ConditionReady, generation)
	return hasConcluded(instance, generation) && root != nil && root.Status == metav1.ConditionTrue
}

// changedBy names the client that changed the spec of the instance before the operation
// of the task was complete, or returns "" if there is none.
func changedBy(ctx context.Context, r *Reconciler, s *scope) string {
	if !s.ownership.isWriter {
		if s.ownership.record.Task == s.task.Name {
			return "another task with the same name"
		}
		return describeWriter(ctx, r, s)
	}
	ref := s.task.Status.InstanceRef
	isOurs := s.instance.Generation == ref.Generation
	if isOurs || s.instance.Status.ObservedGeneration == ref.Generation && hasConcluded(s.instance, ref.Generation) {
		return ""
	}
	return "another client"
}

// describeWriter returns the name of the task that last wrote the instance, with its action if
// the task still exists. If no task did, it returns "another client".
func describeWriter(ctx context.Context, r *Reconciler, s *scope) string {
	name := s.ownership.record.Task
	switch {
	case s.ownership.recordError != nil:
		return fmt.Sprintf("another client (%s)", s.ownership.recordError)
	case name == "":
		return "another client"
	}
	task := &v1alpha1.AppInstallTask{}
	if err := r.Get(ctx, types.NamespacedName{Namespace: s.task.Namespace, Name: name}, task); err != nil {
		return fmt.Sprintf("task %q", name)
	}
	return fmt.Sprintf("task %q (%s)", name, task.Spec.Action)
}

// progressError returns an error that waits for the instance and reports its progress. If the
// instance has retried until spec.timeout, the error is terminal.
func progressError(task *v1alpha1.AppInstallTask, reconciling *metav1.Condition) error {
	if reconciling == nil {
		return outcome.Waiting(v1alpha1.ReasonProgressing, 0, fmt.Errorf("%s of instance %q", task.Spec.Action, task.Instance()))
	}
	if reconciling.Reason != v1alpha1.ReasonProgressingWithRetry {
		return outcome.Waiting(reconciling.Reason, 0, errors.New(reconciling.Message))
	}
	// A retried operation has no other time limit.
	left := time.Until(task.Status.StartTime.Add(task.Spec.Timeout.Or(defaultTimeout)))
	if left <= 0 {
		return outcome.Stalled(v1alpha1.ReasonTimedOut, fmt.Errorf("the operation exceeded spec.timeout (%s): %s", task.Spec.Timeout.Or(defaultTimeout), reconciling.Message))
	}
	return outcome.Waiting(reconciling.Reason, left, errors.New(reconciling.Message))
}

// defaultTimeout is the timeout if spec.timeout is not set or invalid.
const defaultTimeout = 10 * time.Minute

// progressMessage returns the message of the Reconciling condition of the instance.
func progressMessage(instance *v1alpha1.AppInstance, generation int64) string {
	if c := conditionForGeneration(instance, v1alpha1.ConditionReconciling, generation); c != nil {
		return c.Message
	}
	return fmt.Sprintf("reverting instance %q", instance.Name)
}

// firstFailedCondition returns the first progress condition that is False. It defaults to
// Applied.
func firstFailedCondition(conditions []metav1.Condition) string {
	for _, milestone := range status.AppInstance.Progress {
		if meta.IsStatusConditionFalse(conditions, milestone) {
			return milestone
		}
	}
	return v1alpha1.ConditionApplied
}
