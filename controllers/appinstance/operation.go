package appinstance

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
)

var (
	// errInterrupted is the error of an operation that a restart interrupted.
	errInterrupted = errors.New("the operator terminated during the operation")
	// errOutdated is the error of an operation that a change of the spec canceled.
	errOutdated = errors.New("the operation was canceled because the spec changed")
	// errTimeout is the error of an operation that exceeded spec.timeout.
	errTimeout = errors.New("the operation exceeded spec.timeout")
	// errNamespaceTerminating is the error of an operation in a namespace that is being deleted.
	errNamespaceTerminating = errors.New("the namespace is being deleted")
)

// immediateRequeue is the delay of the reconcile after a canceled operation.
const immediateRequeue = time.Millisecond

// runOperation runs one operation after it has acquired a slot. It records the operation in
// status, calls do with a context that ends at spec.timeout or when a change of the spec
// supersedes the operation, and records a failure. The caller records success and sets the
// conditions.
func (r *Reconciler) runOperation(ctx context.Context, s *scope, next v1alpha1.Operation, do func(context.Context) error) error {
	key := client.ObjectKeyFromObject(s.instance)
	if err := acquireSlot(r, key, next); err != nil {
		return err
	}
	defer limiterFor(r, next).Release(key)
	if err := endInterrupted(ctx, s, next); err != nil {
		return status.ForCondition(v1alpha1.ConditionApplied, err)
	}
	if err := startOperation(ctx, r, s, next); err != nil {
		return err
	}
	s.statusWriter.IgnoreConflicts()
	failpoint.Point(failpoint.InstanceBegun, key.String())
	bounded, end := operationContext(ctx, r, s.instance, next)
	err := outcome.Guarded(func() error { return do(release.WithObserver(bounded, newObserver(s, next))) })()
	// Whatever the result, the operation may have changed the objects.
	r.staleHealth.Store(key, true)
	cause := context.Cause(bounded)
	end()
	failpoint.Point(failpoint.InstanceOperated, key.String())
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		// The process is shutting down. The next one finds the operation in status.
		return err
	case errors.Is(cause, errOutdated):
		return recordAbandoned(ctx, s, err)
	case errors.Is(cause, errNamespaceTerminating):
		return recordNamespaceDeletion(s)
	case errors.Is(cause, errTimeout):
		err = timeoutError(ctx, s, err)
	}
	return recordFailure(ctx, r, s, err)
}

// acquireSlot acquires a slot for an operation, or keeps the slot that the instance has.
func acquireSlot(r *Reconciler, key client.ObjectKey, next v1alpha1.Operation) error {
	if limiterFor(r, next).TryAcquire(key) {
		return nil
	}
	return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, 0, errors.New(
		"waiting for a free slot because the limit of concurrent operations is reached"))
}

// newObserver returns an observer that shows in status what an operation waits for, and
// records the objects that it keeps.
func newObserver(s *scope, next v1alpha1.Operation) release.Observer {
	return release.Observer{
		Retaining: func(ctx context.Context, objects []v1alpha1.ObjectReference) error {
			return recordRetained(ctx, s, objects)
		},
		Waiting: func(ctx context.Context, message string) {
			s.statusWriter.MarkReconciling(inProgressMessage(next) + ": " + message)
			if err := s.statusWriter.Save(ctx); err != nil {
				ctrl.LoggerFrom(ctx).Error(err, "Could not save the progress of the operation")
			}
		},
	}
}

// timeoutError returns the error of an operation that exceeded its timeout. It first ends the
// hooks that are still running, as for a canceled operation.
func timeoutError(ctx context.Context, s *scope, err error) error {
	text := err.Error()
	if abandoned := abandonReleases(ctx, s); abandoned != nil {
		text += "; " + abandoned.Error()
	}
	return outcome.Stalled(v1alpha1.ReasonTimedOut, fmt.Errorf("%w (%s): %s", errTimeout, operationTimeout(s.instance), text))
}

// recordNamespaceDeletion records an operation that was canceled because its namespace is being
// deleted. The deletion of the instance triggers another reconcile.
func recordNamespaceDeletion(s *scope) error {
	recordHistory(s, v1alpha1.OutcomeCanceled, v1alpha1.ReasonCanceled, errNamespaceTerminating)
	return outcome.Waiting(v1alpha1.ReasonProgressing, 0, errNamespaceTerminating)
}

// operationContext returns the context of an operation. It is canceled at spec.timeout, when a change
// of the spec supersedes the operation, and when the namespace is deleted. An
// uninstallation is not canceled by a change of the spec.
func operationContext(ctx context.Context, r *Reconciler, instance *v1alpha1.AppInstance, next v1alpha1.Operation) (context.Context, func()) {
	ctx, late := context.WithTimeoutCause(ctx, operationTimeout(instance), errTimeout)
	ctx, end := r.activeOperations.registerOperation(ctx, instance, next)
	ctx = withSlotRelease(ctx, r, client.ObjectKeyFromObject(instance), next)
	// The cache already contains a change that occurred after this reconcile read the
	// instance and before the operation was registered.
	live := &v1alpha1.AppInstance{}
	if err := r.Get(ctx, client.ObjectKeyFromObject(instance), live); err == nil {
		r.activeOperations.cancelIfChanged(live)
	}
	if ends, err := isNamespaceTerminating(ctx, r, instance.Namespace); err == nil && ends {
		r.activeOperations.cancelInNamespace(instance.Namespace)
	}
	return ctx, func() { end(); late() }
}

// saveOperation saves the operation to status before Helm is called.
func saveOperation(ctx context.Context, s *scope, operation v1alpha1.Operation) error {
	requester := requestingTask(s.instance)
	operation.Task, operation.RequestedBy, operation.Request = requester.Task, requester.RequestedBy, status.ReconcileRequest(s.instance)
	operation.Interruptions = countInterruptions(s.instance, operation)
	operation.StartedAt = metav1.Now()
	s.instance.Status.CurrentOperation = &operation
	s.instance.Status.Releases = addPlannedReleases(s.instance.Status.Releases, s.planned)
	s.statusWriter.MarkReconciling(inProgressMessage(operation))
	if s.instance.Status.Revision > 0 {
		s.statusWriter.ShowSummary(v1alpha1.ReasonProgressing, s.runningMessage(recordedHealth(s.instance))+"; "+inProgressMessage(operation))
	} else {
		s.statusWriter.ShowSummary(v1alpha1.ReasonProgressing, inProgressMessage(operation))
	}
	s.observed = nil
	// This event replaces the event of the Resolved condition, which contains less.
	s.statusWriter.Event(v1alpha1.ConditionResolved, corev1.EventTypeNormal, operationKinds[operation.Type].begins,
		inProgressMessage(operation)+requesterMessage(operation))
	return s.statusWriter.Save(ctx)
}

// requesterMessage returns the part of a message that names the task of an operation.
func requesterMessage(operation v1alpha1.Operation) string {
	if operation.Task == "" {
		return ""
	}
	return fmt.Sprintf(", requested by task %q", operation.Task)
}

// emitEndEvent emits the event of the end of an operation.
func emitEndEvent(s *scope, entry v1alpha1.HistoryEntry) {
	switch entry.Outcome {
	case v1alpha1.OutcomeSucceeded:
		s.statusWriter.Event(v1alpha1.ConditionApplied, corev1.EventTypeNormal, operationKinds[entry.Operation.Type].ends, doneMessage(entry.Operation))
	case v1alpha1.OutcomeCanceled:
		s.statusWriter.Event("", corev1.EventTypeNormal, entry.Reason, inProgressMessage(entry.Operation)+": "+entry.Message)
	default:
		s.statusWriter.Event("", corev1.EventTypeWarning, entry.Reason, inProgressMessage(entry.Operation)+": "+entry.Message)
	}
}

// recordSuccess records the success of an operation and saves the status.
func recordSuccess(ctx context.Context, s *scope) error {
	s.operated = true
	recordHistory(s, v1alpha1.OutcomeSucceeded, "", nil)
	return saveOutcome(ctx, s)
}

func saveOutcome(ctx context.Context, s *scope) error {
	if err := s.statusWriter.Save(ctx); err != nil {
		return err
	}
	failpoint.Point(failpoint.InstanceSaved, client.ObjectKeyFromObject(s.instance).String())
	return nil
}

// recordSuccessBefore records the success of an operation together with the condition that the
// instance waits for next, so that both take one write.
func recordSuccessBefore(ctx context.Context, r *Reconciler, s *scope, next error) error {
	s.operated = true
	recordHistory(s, v1alpha1.OutcomeSucceeded, "", nil)
	describeFailure(ctx, r, s, next)
	s.statusWriter.ShowWaiting(next)
	r.messageTimes.Store(client.ObjectKeyFromObject(s.instance), time.Now())
	return saveOutcome(ctx, s)
}

// recordAbandoned records an operation that a change of the spec canceled. The next operation
// replaces its partial result.
func recordAbandoned(ctx context.Context, s *scope, err error) error {
	if err := abandonReleases(ctx, s); err != nil {
		return err
	}
	recordHistory(s, v1alpha1.OutcomeCanceled, v1alpha1.ReasonCanceled, errOutdated)
	return outcome.Waiting(v1alpha1.ReasonProgressing, immediateRequeue, fmt.Errorf("%w: %w", errOutdated, err))
}

// endInterrupted ends the hooks of an interrupted operation if the next operation is a
// different one. They would otherwise run concurrently with it.
func endInterrupted(ctx context.Context, s *scope, next v1alpha1.Operation) error {
	history := s.instance.Status.History
	if len(history) == 0 || history[0].Outcome != v1alpha1.OutcomeInterrupted || hasBeenInterrupted(s.instance, next) {
		return nil
	}
	return abandonReleases(ctx, s)
}

func abandonReleases(ctx context.Context, s *scope) error {
	for _, known := range s.instance.Status.Releases {
		if err := s.helm.CancelRelease(ctx, known.Name); err != nil {
			return fmt.Errorf("cancel the operation on release %q: %w", known.Name, err)
		}
	}
	return nil
}

// recordFailure records a failed operation. An error with a reason is terminal, unless the
// instance is being deleted. An error without a reason is retried as a new operation.
func recordFailure(ctx context.Context, r *Reconciler, s *scope, err error) error {
	reason := outcome.Reason(err, "")
	if reason == v1alpha1.ReasonPermissionDenied {
		err = describePermissionError(ctx, r, s, err)
		reason = outcome.Reason(err, "")
	}
	switch {
	case reason == "":
		if _, ok := errors.AsType[*outcome.Panic](err); ok {
			s.instance.Status.CurrentOperation.Interruptions++
		}
		recordHistory(s, v1alpha1.OutcomeInterrupted, v1alpha1.ReasonInterrupted, err)
		err = outcome.Failed(v1alpha1.ReasonInterrupted, err)
	case !s.instance.DeletionTimestamp.IsZero():
		recordHistory(s, v1alpha1.OutcomeFailed, reason, err)
		err = outcome.Failed(reason, err)
	default:
		recordHistory(s, v1alpha1.OutcomeFailed, reason, err)
		err = outcome.Stalled(reason, err)
	}
	return status.ForCondition(v1alpha1.ConditionApplied, err)
}

// recoverInterrupted ends an interrupted operation and repairs its releases. Any operation in status at
// the start of a reconcile was started by an earlier process or reconcile, because no
// object is reconciled concurrently.
func (r *Reconciler) recoverInterrupted(ctx context.Context, s *scope) error {
	if s.instance.Status.CurrentOperation == nil {
		return nil
	}
	for _, known := range s.instance.Status.Releases {
		if err := s.helm.Unlock(ctx, known.Name); err != nil {
			return fmt.Errorf("unlock release %q: %w", known.Name, err)
		}
	}
	s.instance.Status.CurrentOperation.Interruptions++
	recordHistory(s, v1alpha1.OutcomeInterrupted, v1alpha1.ReasonInterrupted, errInterrupted)
	return s.statusWriter.Save(ctx)
}
