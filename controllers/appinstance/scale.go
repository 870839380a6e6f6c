package appinstance

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// scaleWorkloads stops or resumes the workloads to match spec.desiredState. It does not change the
// Helm releases.
func (r *Reconciler) scaleWorkloads(ctx context.Context, s *scope) error {
	if s.target == nil || s.isScaled() {
		return nil
	}
	if s.instance.Spec.DesiredState == v1alpha1.StateStopped {
		return r.runScaling(ctx, s, v1alpha1.OperationStop)
	}
	return r.runScaling(ctx, s, v1alpha1.OperationResume)
}

// isScaled reports whether the workloads match spec.desiredState.
func (s *scope) isScaled() bool {
	stop := s.instance.Spec.DesiredState == v1alpha1.StateStopped
	return stop == s.instance.Status.Stopped && !s.isScalingIncomplete()
}

// isScalingIncomplete reports whether the last Stop or Resume failed or was interrupted. Some workloads
// may then be stopped and others not, regardless of status.stopped.
func (s *scope) isScalingIncomplete() bool {
	for _, entry := range s.instance.Status.History {
		kind := operationKinds[entry.Operation.Type]
		switch {
		case kind.scale != nil:
			return entry.Outcome != v1alpha1.OutcomeSucceeded
		case kind.isRemoval && entry.Outcome == v1alpha1.OutcomeSucceeded:
			return false // Those workloads no longer exist.
		}
	}
	return false
}

// runScaling runs an operation that stops or resumes the workloads of all releases.
func (r *Reconciler) runScaling(ctx context.Context, s *scope, kind v1alpha1.OperationType) error {
	st := &s.instance.Status
	next := v1alpha1.Operation{Type: kind, Version: st.Version, ChartDigest: st.ChartDigest, ValuesDigest: st.ValuesDigest}
	if err := previousOperationError(s, next); err != nil {
		return err
	}
	err := r.runOperation(ctx, s, next, func(ctx context.Context) error {
		for _, known := range st.Releases {
			if err := operationKinds[kind].scale(ctx, s.helm, known.Name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	st.Stopped = operationKinds[kind].leavesStopped
	s.statusWriter.MarkTrue(v1alpha1.ConditionApplied, v1alpha1.ReasonApplied, doneMessage(next))
	return s.recordSuccess(ctx)
}

// shouldBeStopped reports whether the installed release must be stopped. Its releases are then not
// changed, whatever the rest of the spec requires.
func (s *scope) shouldBeStopped() bool {
	return s.instance.Status.Revision > 0 && s.instance.Spec.DesiredState == v1alpha1.StateStopped
}

// markStopped sets the Healthy and Ready conditions of a stopped instance.
func (s *scope) markStopped() {
	s.statusWriter.MarkTrue(v1alpha1.ConditionHealthy, v1alpha1.ReasonStopped, "no pods, as asked for")
	s.statusWriter.SetReady(v1alpha1.ReasonStopped, s.runningMessage(release.Health{}))
}
