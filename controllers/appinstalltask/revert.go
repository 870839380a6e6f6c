package appinstalltask

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/transitions"
)

// startRevert starts to revert the changes of a task. It saves the decision first, so that a
// restart does not lose it.
func (r *Reconciler) startRevert(ctx context.Context, s *scope, why v1alpha1.Problem) error {
	s.markReverting(why)
	s.statusWriter.MarkReconciling("taking back what was begun: " + why.Message)
	return s.statusWriter.Save(ctx)
}

func (s *scope) markReverting(why v1alpha1.Problem) {
	now := metav1.Now()
	s.task.Status.Reverting, s.task.Status.RevertStartTime = &why, &now
}

// newProblem returns a problem whose message is limited to the length that a status allows.
func newProblem(reason, message string) v1alpha1.Problem {
	return v1alpha1.Problem{Reason: reason, Message: text.Limit(message, 1024)}
}

// revertedSuffix distinguishes the reconcile request of a reversal from the first request of
// the task.
const revertedSuffix = ".undone"

// revertInstance reverts the spec of the instance to the state before the task.
func (r *Reconciler) revertInstance(ctx context.Context, s *scope) error {
	instance := s.instance.DeepCopy()
	if instance.Annotations == nil {
		instance.Annotations = map[string]string{}
	}
	if marks := instance.Annotations; marks[v1alpha1.TaskUndoneAnnotation] == "" {
		marks[v1alpha1.TaskUndoneAnnotation] = s.task.Status.Reverting.Reason
		marks[v1alpha1.ReconcileRequestAnnotation] = string(s.task.UID) + revertedSuffix
	}
	s.revertSpec(instance)
	if !equality.Semantic.DeepEqual(s.instance, instance) {
		before := client.MergeFromWithOptions(s.instance, client.MergeFromWithOptimisticLock{})
		if err := r.Patch(ctx, instance, before); err != nil {
			return writeConflictError(s.task, err)
		}
	}
	s.instance = instance
	s.task.Status.InstanceRef = s.instanceReference()
	return nil
}

// revertSpec sets the fields of the spec that restore the state before the task. A canceled
// adoption does not change the spec, because it has not changed the release.
func (s *scope) revertSpec(instance *v1alpha1.AppInstance) {
	spec := &instance.Spec
	switch transitions.Outcomes[s.task.Spec.Action].Canceled {
	case transitions.Removed:
		spec.DesiredState = v1alpha1.StateUninstalled
	case transitions.Before:
		spec.DesiredState = v1alpha1.StateRunning
		if s.task.Spec.Action == v1alpha1.ActionResume {
			spec.DesiredState = v1alpha1.StateStopped
		}
		if revision := s.revisionBefore(); revision > 0 && s.isVersionChange() {
			spec.PinnedRevision = revision
		}
	}
}

// isVersionChange reports whether the action changes the installed version.
func (s *scope) isVersionChange() bool {
	return s.task.Spec.Action == v1alpha1.ActionUpgrade || s.task.Spec.Action == v1alpha1.ActionRollback
}

// revisionBefore returns the installed revision before the task wrote the instance, or 0.
func (s *scope) revisionBefore() int32 {
	number, err := strconv.ParseInt(s.instance.Annotations[v1alpha1.TaskBeforeAnnotation], 10, 32)
	if err != nil {
		return 0 // Nothing was installed, or another client removed the annotation.
	}
	return int32(number)
}

// finishRevert waits for the reversal to complete, and then ends the task with the reason of the
// reversal.
func (r *Reconciler) finishRevert(ctx context.Context, s *scope) error {
	why := *s.task.Status.Reverting
	if err := r.readInstanceLive(ctx, s); err != nil {
		return err
	}
	if s.instance == nil || s.task.Status.InstanceRef == nil && !s.ownsInstance() {
		return r.revertSubtasks(ctx, s, why)
	}
	if by := s.ownerTask(); by != s.task.Name {
		why.Message += fmt.Sprintf("; instance %q was changed by %s meanwhile", s.instance.Name, r.describeTask(ctx, s.task.Namespace, by))
		return r.revertSubtasks(ctx, s, why)
	}
	if err := r.revertInstance(ctx, s); err != nil {
		return err
	}
	ref := s.task.Status.InstanceRef
	if stalled := s.stalledCondition(ref.Generation); stalled != nil {
		why.Message += "; taking it back failed: " + stalled.Message
		return r.revertSubtasks(ctx, s, why)
	}
	if !s.isInstanceReady(ref.Generation) {
		left, bounded := s.revertTimeRemaining(ref.Generation)
		if bounded && left <= 0 {
			why.Message += "; taking it back was not done within spec.timeout: " + s.progressMessage(ref.Generation)
			return r.revertSubtasks(ctx, s, why)
		}
		return outcome.Waiting(v1alpha1.ReasonProgressing, left, fmt.Errorf("%s; %s", why.Message, s.progressMessage(ref.Generation)))
	}
	root := s.conditionForGeneration(v1alpha1.ConditionReady, ref.Generation)
	why.Message += "; " + root.Message
	return r.revertSubtasks(ctx, s, why)
}

// revertTimeRemaining returns how much longer the instance may retry the reversal. It returns false if
// the instance is not retrying, because other operations have their own timeout.
func (s *scope) revertTimeRemaining(generation int64) (time.Duration, bool) {
	c := s.conditionForGeneration(v1alpha1.ConditionReconciling, generation)
	since := s.task.Status.RevertStartTime
	if c == nil || c.Reason != v1alpha1.ReasonProgressingWithRetry || since == nil {
		return 0, false
	}
	return time.Until(since.Add(s.task.Spec.Timeout.Or(defaultTimeout))), true
}

// shouldRevertOnFailure reports whether spec.onFailure requires the task to be reverted.
func (s *scope) shouldRevertOnFailure() bool {
	switch s.task.Spec.OnFailure {
	case v1alpha1.FailureRemove:
		return transitions.Outcomes[s.task.Spec.Action].Canceled == transitions.Removed || len(s.task.Status.Subtasks) > 0
	case v1alpha1.FailureRollback:
		return s.isVersionChange() && s.revisionBefore() > 0
	}
	return false
}
