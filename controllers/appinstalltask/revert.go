package appinstalltask

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/taskrecord"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/transitions"
)

// startRevert starts to revert the changes of a task. It saves the decision first, so that a
// restart does not lose it.
func startRevert(ctx context.Context, s *scope, why v1alpha1.Problem) error {
	markReverting(s, why)
	s.statusWriter.MarkReconciling("reverting the changes of the task: " + why.Message)
	return s.statusWriter.Save(ctx)
}

func markReverting(s *scope, why v1alpha1.Problem) {
	now := metav1.Now()
	s.task.Status.Reverting, s.task.Status.RevertStartTime = &why, &now
	s.setInstance(s.instance)
}

// newProblem returns a problem whose message is limited to the length that a status allows.
func newProblem(reason, message string) v1alpha1.Problem {
	return v1alpha1.Problem{Reason: reason, Message: text.Limit(message, 1024)}
}

// revertedSuffix distinguishes the reconcile request of a reversal from the first request of
// the task.
const revertedSuffix = ".undone"

// revertInstance reverts the spec of the instance to the state before the task.
func revertInstance(ctx context.Context, r *Reconciler, s *scope) error {
	instance := s.instance.DeepCopy()
	if record := s.ownership.record; !record.IsReverted() {
		record.RevertReason = s.task.Status.Reverting.Reason
		if err := taskrecord.WriteRecord(instance, record); err != nil {
			return err
		}
		instance.Annotations[v1alpha1.ReconcileRequestAnnotation] = string(s.task.UID) + revertedSuffix
	}
	if s.action.revert != nil {
		s.action.revert(s, &instance.Spec)
	}
	if !equality.Semantic.DeepEqual(s.instance, instance) {
		before := client.MergeFromWithOptions(s.instance, client.MergeFromWithOptimisticLock{})
		if err := r.Patch(ctx, instance, before); err != nil {
			return writeConflictError(s.task, err)
		}
	}
	s.recordInstance(instance)
	return nil
}

// setAbsent removes an instance that the task has installed.
func setAbsent(_ *scope, spec *v1alpha1.AppInstanceSpec) {
	spec.DesiredState = v1alpha1.StateUninstalled
}

// setRunning resumes an instance that the task has stopped.
func setRunning(_ *scope, spec *v1alpha1.AppInstanceSpec) { spec.DesiredState = v1alpha1.StateRunning }

// setStopped stops an instance that the task has resumed.
func setStopped(_ *scope, spec *v1alpha1.AppInstanceSpec) { spec.DesiredState = v1alpha1.StateStopped }

// pinPreviousRevision restores the revision that was installed before the task.
func pinPreviousRevision(s *scope, spec *v1alpha1.AppInstanceSpec) {
	spec.DesiredState = v1alpha1.StateRunning
	if revision := s.ownership.record.PreviousRevision; revision > 0 {
		spec.PinnedRevision = revision
	}
}

// finishRevert waits for the reversal to complete, and then ends the task with the reason of the
// reversal.
func finishRevert(ctx context.Context, r *Reconciler, s *scope) error {
	why := *s.task.Status.Reverting
	if err := readInstanceLive(ctx, r, s); err != nil {
		return err
	}
	if s.instance == nil || !s.ownership.isRecorded && !s.ownership.isWriter {
		return revertSubtasks(ctx, r, s, why)
	}
	if s.ownership.record.Task != s.task.Name {
		why.Message += fmt.Sprintf("; instance %q was changed by %s and is not reverted", s.instance.Name, describeWriter(ctx, r, s))
		return revertSubtasks(ctx, r, s, why)
	}
	if err := revertInstance(ctx, r, s); err != nil {
		return err
	}
	ref := s.task.Status.InstanceRef
	if stalled := stalledCondition(s.instance, ref.Generation); stalled != nil {
		why.Message += "; the changes were not reverted: " + stalled.Message
		return revertSubtasks(ctx, r, s, why)
	}
	if !isInstanceReady(s.instance, ref.Generation) {
		left, bounded := revertTimeRemaining(s.task, s.instance, ref.Generation)
		if bounded && left <= 0 {
			why.Message += "; the changes were not reverted within spec.timeout: " + progressMessage(s.instance, ref.Generation)
			return revertSubtasks(ctx, r, s, why)
		}
		return outcome.Waiting(v1alpha1.ReasonProgressing, left, fmt.Errorf("%s; %s", why.Message, progressMessage(s.instance, ref.Generation)))
	}
	root := conditionForGeneration(s.instance, v1alpha1.ConditionReady, ref.Generation)
	why.Message += "; " + root.Message
	return revertSubtasks(ctx, r, s, why)
}

// revertTimeRemaining returns how much longer the instance may retry the reversal. It returns false if
// the instance is not retrying, because other operations have their own timeout.
func revertTimeRemaining(task *v1alpha1.AppInstallTask, instance *v1alpha1.AppInstance, generation int64) (time.Duration, bool) {
	c := conditionForGeneration(instance, v1alpha1.ConditionReconciling, generation)
	since := task.Status.RevertStartTime
	if c == nil || c.Reason != v1alpha1.ReasonProgressingWithRetry || since == nil {
		return 0, false
	}
	return time.Until(since.Add(task.Spec.Timeout.Or(defaultTimeout))), true
}

// shouldRevertOnFailure reports whether spec.onFailure requires the task to be reverted.
func shouldRevertOnFailure(s *scope) bool {
	switch s.task.Spec.OnFailure {
	case v1alpha1.FailureRemove:
		return s.action.outcome.Canceled == transitions.Uninstalled || len(s.task.Status.Subtasks) > 0
	case v1alpha1.FailureRollback:
		return s.action.changesRevision && s.ownership.record.PreviousRevision > 0
	}
	return false
}
