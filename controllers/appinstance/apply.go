package appinstance

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/transitions"
)

// applyTarget runs Helm if the installed release differs from the target.
func (r *Reconciler) applyTarget(ctx context.Context, s *scope) error {
	if s.target == nil {
		return uninstallAbsent(ctx, r, s)
	}
	if isDone, err := needsNoOperation(ctx, r, s); isDone || err != nil {
		setEntranceTitles(s.instance, s.instance.Status.Entrances)
		setClaimRemoval(s.instance)
		s.markResolved()
		if isScaled(s.instance) && !isRestartDue(s.instance) {
			markApplied(s)
		}
		return err
	}
	if s.instance.Status.Stopped || isScalingIncomplete(s.instance) {
		// Helm would start the workloads, but would not remove the annotations of
		// stopped workloads.
		s.markResolved()
		if err := runScaling(ctx, r, s, v1alpha1.OperationResume); err != nil {
			return err
		}
	}
	operation := s.target.toOperation(s)
	if err := previousOperationError(s, operation); err != nil {
		s.markResolved()
		return err
	}
	// The checks and the rendering also need a slot, because they can take long.
	key := client.ObjectKeyFromObject(s.instance)
	if err := acquireSlot(r, key, operation); err != nil {
		return err
	}
	defer limiterFor(r, operation).Release(key)
	return applyOperation(ctx, r, s, operation)
}

// needsNoOperation reports whether the releases remain as they are: the instance is stopped, or it
// is up to date and has all objects.
func needsNoOperation(ctx context.Context, r *Reconciler, s *scope) (bool, error) {
	if shouldBeStopped(s.instance) {
		return true, nil
	}
	if !isUpToDate(s) {
		return false, nil
	}
	missing, err := hasMissingObjects(ctx, r, s)
	return !missing, err
}

// applyOperation runs an operation and records its result.
func applyOperation(ctx context.Context, r *Reconciler, s *scope, operation v1alpha1.Operation) error {
	do, err := operationKinds[operation.Type].prepare(ctx, r, s, operation)
	if err != nil {
		r.keepReady(ctx, s, err)
		return status.ForCondition(v1alpha1.ConditionResolved, err)
	}
	if !isSingletonInstallation(r, s, operation) { // startOperation checks such an installation first.
		s.markResolved()
	}
	err = r.runOperation(ctx, s, operation, func(ctx context.Context) error {
		if err := do(ctx); err != nil {
			return err
		}
		return reclaimRetained(ctx, s)
	})
	if err != nil {
		return err
	}
	st := &s.instance.Status
	s.recordVerification(operation.ChartDigest)
	st.Version, st.ChartDigest, st.ValuesDigest = operation.Version, operation.ChartDigest, operation.ValuesDigest
	if complete := operationKinds[operation.Type].complete; complete != nil {
		if err := complete(ctx, r, s); err != nil {
			return status.ForCondition(v1alpha1.ConditionResolved, err)
		}
	}
	st.Stopped = false
	if st.Revision == 0 {
		st.RestartedAt = s.instance.Spec.RestartRequestedAt.DeepCopy() // the Pods are new
	}
	st.Outputs = toOutputs(s.instance)
	s.setAvailableUpdate(s.target)
	s.statusWriter.MarkTrue(v1alpha1.ConditionApplied, v1alpha1.ReasonApplied, doneMessage(operation))
	return recordSuccessBefore(ctx, r, s, notObservedError())
}

// prepareInstallation checks an installation or an upgrade, and returns the function that runs
// it.
func prepareInstallation(ctx context.Context, r *Reconciler, s *scope, operation v1alpha1.Operation) (func(context.Context) error, error) {
	s.target.revisions = s.nextReleaseRevisions()
	draft, err := admitOperation(ctx, r, s, operation)
	if err != nil {
		return nil, err
	}
	plans := planReleases(s.instance, draft)
	unreadable := checkReadable(ctx, r, s, plans)
	if unreadable == nil {
		s.planned = plans
	}
	return func(ctx context.Context) error {
		if unreadable != nil {
			return unreadable
		}
		if err := installReleases(ctx, s, plans); err != nil {
			return err
		}
		s.setDeclaredEntrances(draft)
		return setClaims(s.instance, draft)
	}, nil
}

// checkReadable returns an error if a new release of the instance cannot be read. Such a
// release is not recorded in status, because the instance could then not be removed. The
// names of releases that do not exist are recorded in the scope.
func checkReadable(ctx context.Context, r *Reconciler, s *scope, plans []plannedRelease) error {
	for _, p := range plans {
		isKnown := slices.ContainsFunc(s.instance.Status.Releases, func(known v1alpha1.Release) bool { return known.Name == p.name })
		if isKnown {
			continue
		}
		if r.Unrecorded != nil && r.Unrecorded(s.tenant, p.name) {
			s.unrecorded = append(s.unrecorded, p.name)
			continue
		}
		have, err := s.helm.Get(ctx, p.name)
		if err != nil {
			return err
		}
		if have == nil {
			s.unrecorded = append(s.unrecorded, p.name)
		}
	}
	return nil
}

// isUpToDate reports whether the target is installed. A chart that was published again under
// the same version, for example with other parameters, is installed only when a reconcile
// is requested.
func isUpToDate(s *scope) bool {
	st := s.instance.Status
	if !hasLastOperationSucceeded(s.instance) {
		return false
	}
	if s.target.rollbackEntry != nil {
		return isRolledBack(s)
	}
	same := st.Version == s.target.version.Version && st.ValuesDigest == s.target.values
	// A resume and a restart leave the release as it is.
	asked := isReconcileRequested(s.instance) && !st.Stopped && !isScalingIncomplete(s.instance) && !isRestartRequest(s.instance)
	return same && (!asked || st.ChartDigest == s.target.version.Digest)
}

// hasLastOperationSucceeded reports whether the last operation succeeded and the instance has releases.
// After a failed operation, the state of the releases is unknown.
func hasLastOperationSucceeded(instance *v1alpha1.AppInstance) bool {
	last := transitions.LastChange(instance)
	return last != nil && last.Outcome == v1alpha1.OutcomeSucceeded && len(instance.Status.Releases) > 0
}

// markApplied sets the Applied condition to True. It keeps the message of the operation that
// was applied.
func markApplied(s *scope) {
	message := "version " + s.instance.Status.Version + " is installed"
	if c := meta.FindStatusCondition(s.instance.Status.Conditions, v1alpha1.ConditionApplied); c != nil && c.Reason == v1alpha1.ReasonApplied {
		message = c.Message
	}
	s.statusWriter.MarkTrue(v1alpha1.ConditionApplied, v1alpha1.ReasonApplied, message)
}

// isReconcileRequested reports whether a requested reconcile has not been handled yet.
func isReconcileRequested(instance *v1alpha1.AppInstance) bool {
	return status.ReconcileRequest(instance) != instance.Status.LastHandledReconcileAt
}

// previousOperationError returns the error of the previous operation if it failed and is the same as
// the next one, and an error if the operation was interrupted too often. A failed operation
// is retried if the spec changes, the instance is deleted or a reconcile is requested.
func previousOperationError(s *scope, next v1alpha1.Operation) error {
	st := s.instance.Status
	if countInterruptions(s.instance, next) >= status.MaxInterruptions {
		return status.ForCondition(v1alpha1.ConditionApplied, status.InterruptedError(inProgressMessage(next), v1alpha1.AppInstanceKind, s.instance.Name))
	}
	again := isReconcileRequested(s.instance) || st.ObservedGeneration != s.instance.Generation || !s.instance.DeletionTimestamp.IsZero()
	if again || len(st.History) == 0 {
		return nil
	}
	last := st.History[0]
	if last.Outcome != v1alpha1.OutcomeFailed || !isSameOperation(last.Operation, next) {
		return nil
	}
	return status.ForCondition(v1alpha1.ConditionApplied, outcome.Stalled(last.Reason, errors.New(last.Message)))
}

// countInterruptions returns how often an operation was interrupted for the current reconcile
// request.
func countInterruptions(instance *v1alpha1.AppInstance, next v1alpha1.Operation) int32 {
	history := instance.Status.History
	if len(history) == 0 || history[0].Outcome != v1alpha1.OutcomeInterrupted ||
		!isSameOperation(history[0].Operation, next) || history[0].Operation.Request != status.ReconcileRequest(instance) {
		return 0
	}
	return history[0].Operation.Interruptions
}

// isResumingOperation reports whether the current operation continues an interrupted one.
func isResumingOperation(instance *v1alpha1.AppInstance) bool {
	return instance.Status.CurrentOperation != nil && hasBeenInterrupted(instance, *instance.Status.CurrentOperation)
}

// hasBeenInterrupted reports whether the last operation was the same one and was interrupted.
func hasBeenInterrupted(instance *v1alpha1.AppInstance, operation v1alpha1.Operation) bool {
	history := instance.Status.History
	return len(history) > 0 && history[0].Outcome == v1alpha1.OutcomeInterrupted && isSameOperation(history[0].Operation, operation)
}

// isSameOperation reports whether two operations have the same type and the same target.
func isSameOperation(a, b v1alpha1.Operation) bool {
	return a.Type == b.Type && a.ChartDigest == b.ChartDigest && a.ValuesDigest == b.ValuesDigest && a.To == b.To
}
