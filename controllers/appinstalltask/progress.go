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
	"github.com/appmarket/operator/internal/transitions"
)

// waitForInstance copies the progress conditions of the instance to the task, and ends the task when
// the instance has completed the operation or failed.
func (r *Reconciler) waitForInstance(ctx context.Context, s *scope) error {
	if err := r.refreshInstance(ctx, s); err != nil {
		return err
	}
	if s.task.Status.Reverting != nil {
		return r.finishRevert(ctx, s)
	}
	ref := s.task.Status.InstanceRef
	if s.instance == nil || string(s.instance.UID) != ref.UID {
		return outcome.Stalled(v1alpha1.ReasonInterrupted, fmt.Errorf("instance %q was deleted while the task ran", ref.Name))
	}
	if by := r.changedBy(ctx, s); by != "" {
		return outcome.Stalled(v1alpha1.ReasonInterrupted, fmt.Errorf(
			"instance %q was changed by %s while the task ran, which ends it: see the instance", ref.Name, by))
	}
	for _, milestone := range status.AppInstance.Progress {
		if c := s.conditionForGeneration(milestone, ref.Generation); c != nil && c.Status == metav1.ConditionTrue {
			s.statusWriter.MarkTrue(milestone, c.Reason, c.Message)
		}
	}
	if stalled := s.stalledCondition(ref.Generation); stalled != nil {
		return r.failTask(ctx, s, stalled.Reason, stalled.Message)
	}
	if !s.isInstanceReady(ref.Generation) {
		err := s.progressError(s.conditionForGeneration(v1alpha1.ConditionReconciling, ref.Generation))
		if outcome.IsStalled(err) && s.shouldRevertOnFailure() {
			return r.failTask(ctx, s, outcome.Reason(err, v1alpha1.ReasonTimedOut), err.Error())
		}
		return err
	}
	if err := r.removeSharedCharts(ctx, s); err != nil {
		return err
	}
	failpoint.Point(failpoint.TaskNoted, s.task.Namespace+"/"+s.task.Name)
	s.task.Status.Outputs = s.instance.Status.Outputs
	s.task.Status.Revision = s.instance.Status.Revision
	s.task.Status.Version = s.instance.Status.Version
	s.statusWriter.SetReady(v1alpha1.ReasonSucceeded, s.conditionForGeneration(v1alpha1.ConditionReady, ref.Generation).Message)
	return nil
}

// refreshInstance reads the instance from the API server if the cache does not yet contain the
// write of this task. Otherwise the cached instance would look as if another client had
// changed it.
func (r *Reconciler) refreshInstance(ctx context.Context, s *scope) error {
	ref := s.task.Status.InstanceRef
	if ref == nil || s.instance != nil && string(s.instance.UID) == ref.UID && s.instance.Generation >= ref.Generation && s.ownsInstance() {
		return nil
	}
	instance := &v1alpha1.AppInstance{}
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: s.task.Namespace, Name: ref.Name}, instance)
	if apierrors.IsNotFound(err) {
		s.instance = nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("get instance %s: %w", ref.Name, err)
	}
	s.instance = instance
	return nil
}

// failTask ends the task after its instance has failed, and first reverts it if spec.onFailure
// requires that.
func (r *Reconciler) failTask(ctx context.Context, s *scope, reason, message string) error {
	if s.shouldRevertOnFailure() {
		if err := r.startRevert(ctx, s, newProblem(reason, message)); err != nil {
			return err
		}
		return r.finishRevert(ctx, s)
	}
	return status.ForCondition(firstFailedCondition(s.instance.Status.Conditions), outcome.Stalled(reason, errors.New(message)))
}

// conditionForGeneration returns a condition of the instance if it was observed for the given generation
// or a later one, otherwise nil.
func (s *scope) conditionForGeneration(kind string, generation int64) *metav1.Condition {
	c := meta.FindStatusCondition(s.instance.Status.Conditions, kind)
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
func (s *scope) stalledCondition(generation int64) *metav1.Condition {
	if !hasConcluded(s.instance, generation) {
		return nil
	}
	return s.conditionForGeneration(v1alpha1.ConditionStalled, generation)
}

// isInstanceReady reports whether the instance has completed the operation of the task and is
// ready.
func (s *scope) isInstanceReady(generation int64) bool {
	root := s.conditionForGeneration(v1alpha1.ConditionReady, generation)
	return hasConcluded(s.instance, generation) && root != nil && root.Status == metav1.ConditionTrue
}

// changedBy names the client that changed the spec of the instance before the operation
// of the task was complete, or returns "" if there is none.
func (r *Reconciler) changedBy(ctx context.Context, s *scope) string {
	if !s.ownsInstance() {
		if s.ownerTask() == s.task.Name {
			return "another task of the same name"
		}
		return r.describeTask(ctx, s.task.Namespace, s.ownerTask())
	}
	ref := s.task.Status.InstanceRef
	isOurs := s.instance.Generation == ref.Generation
	if isOurs || s.instance.Status.ObservedGeneration == ref.Generation && hasConcluded(s.instance, ref.Generation) {
		return ""
	}
	return "another client"
}

// describeTask returns the name of the task for messages, with its action if the task still
// exists.
func (r *Reconciler) describeTask(ctx context.Context, namespace, name string) string {
	if name == "" {
		return "another client"
	}
	task := &v1alpha1.AppInstallTask{}
	if err := r.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, task); err != nil {
		return fmt.Sprintf("task %q", name)
	}
	return fmt.Sprintf("task %q (%s)", name, task.Spec.Action)
}

// desiredState returns the desired state that the action writes to the instance.
func (s *scope) desiredState() v1alpha1.DesiredState {
	switch transitions.Outcomes[s.task.Spec.Action].Succeeded {
	case transitions.Removed:
		return v1alpha1.StateUninstalled
	case transitions.Stopped:
		return v1alpha1.StateStopped
	}
	return v1alpha1.StateRunning
}

// progressError returns an error that waits for the instance and reports its progress. If the
// instance has retried until spec.timeout, the error is terminal.
func (s *scope) progressError(reconciling *metav1.Condition) error {
	if reconciling == nil {
		return outcome.Waiting(v1alpha1.ReasonProgressing, 0, fmt.Errorf("%s of instance %s", s.task.Spec.Action, s.instance.Name))
	}
	if reconciling.Reason != v1alpha1.ReasonProgressingWithRetry {
		return outcome.Waiting(reconciling.Reason, 0, errors.New(reconciling.Message))
	}
	// A retried operation has no other time limit.
	left := time.Until(s.task.Status.StartTime.Add(s.task.Spec.Timeout.Or(defaultTimeout)))
	if left <= 0 {
		return outcome.Stalled(v1alpha1.ReasonTimedOut, fmt.Errorf("not done within spec.timeout: %s", reconciling.Message))
	}
	return outcome.Waiting(reconciling.Reason, left, errors.New(reconciling.Message))
}

// defaultTimeout is the timeout if spec.timeout is not set or invalid.
const defaultTimeout = 10 * time.Minute

// progressMessage returns the message of the Reconciling condition of the instance.
func (s *scope) progressMessage(generation int64) string {
	if c := s.conditionForGeneration(v1alpha1.ConditionReconciling, generation); c != nil {
		return c.Message
	}
	return "instance " + s.instance.Name + " is being brought back"
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
