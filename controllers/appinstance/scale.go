package appinstance

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// scaleWorkloads stops or resumes the workloads to match spec.desiredState. It does not change the
// Helm releases.
func (r *Reconciler) scaleWorkloads(ctx context.Context, s *scope) error {
	if s.target == nil || isScaled(s.instance) {
		return nil
	}
	if s.instance.Spec.DesiredState == v1alpha1.StateStopped {
		return runScaling(ctx, r, s, v1alpha1.OperationStop)
	}
	return runScaling(ctx, r, s, v1alpha1.OperationResume)
}

// isScaled reports whether the workloads match spec.desiredState.
func isScaled(instance *v1alpha1.AppInstance) bool {
	stop := instance.Spec.DesiredState == v1alpha1.StateStopped
	return stop == instance.Status.Stopped && !isScalingIncomplete(instance)
}

// isScalingIncomplete reports whether the last Stop or Resume failed or was interrupted. Some workloads
// may then be stopped and others not, regardless of status.stopped.
func isScalingIncomplete(instance *v1alpha1.AppInstance) bool {
	for _, entry := range instance.Status.History {
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
func runScaling(ctx context.Context, r *Reconciler, s *scope, kind v1alpha1.OperationType) error {
	row := operationKinds[kind]
	scaleRelease := func(ctx context.Context, name string) error { return row.scale(ctx, s.helm, name) }
	return changeWorkloads(ctx, r, s, kind, scaleRelease, func(st *v1alpha1.AppInstanceStatus) {
		st.Stopped = row.leavesStopped
		if !st.Stopped {
			st.RestartedAt = s.instance.Spec.RestartRequestedAt.DeepCopy() // the Pods are new
		}
	})
}

// changeWorkloads runs an operation that changes the workloads of all releases, and calls record
// before it saves the success.
func changeWorkloads(
	ctx context.Context, r *Reconciler, s *scope, kind v1alpha1.OperationType,
	change func(ctx context.Context, name string) error, record func(*v1alpha1.AppInstanceStatus),
) error {
	st := &s.instance.Status
	next := v1alpha1.Operation{Type: kind, Version: st.Version, ChartDigest: st.ChartDigest, ValuesDigest: st.ValuesDigest}
	if err := previousOperationError(s, next); err != nil {
		return err
	}
	err := r.runOperation(ctx, s, next, func(ctx context.Context) error {
		for _, known := range st.Releases {
			if err := change(ctx, known.Name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	record(st)
	s.statusWriter.MarkTrue(v1alpha1.ConditionApplied, v1alpha1.ReasonApplied, doneMessage(next))
	return recordSuccess(ctx, s)
}

// shouldBeStopped reports whether the installed release must be stopped. Its releases are then not
// changed, whatever the rest of the spec requires.
func shouldBeStopped(instance *v1alpha1.AppInstance) bool {
	return instance.Status.Revision > 0 && instance.Spec.DesiredState == v1alpha1.StateStopped
}

// markStopped sets the Healthy and Ready conditions of a stopped instance.
func markStopped(s *scope) {
	s.statusWriter.MarkTrue(v1alpha1.ConditionHealthy, v1alpha1.ReasonStopped, "all workloads are scaled to zero because spec.desiredState is Stopped")
	s.statusWriter.SetReady(v1alpha1.ReasonStopped, s.runningMessage(release.Health{}))
}
