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
		return r.stopWorkloads(ctx, s)
	}
	return r.resumeWorkloads(ctx, s)
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
		switch entry.Operation.Type {
		case v1alpha1.OperationStop, v1alpha1.OperationResume:
			return entry.Outcome != v1alpha1.OutcomeSucceeded
		case v1alpha1.OperationUninstall:
			if entry.Outcome == v1alpha1.OutcomeSucceeded {
				return false // Those workloads no longer exist.
			}
		}
	}
	return false
}

func (r *Reconciler) stopWorkloads(ctx context.Context, s *scope) error {
	return r.runScaling(ctx, s, v1alpha1.OperationStop, func(ctx context.Context, name string) error { return s.helm.Stop(ctx, name) })
}

// resumeWorkloads restores the replicas and the settings of the workloads.
func (r *Reconciler) resumeWorkloads(ctx context.Context, s *scope) error {
	return r.runScaling(ctx, s, v1alpha1.OperationResume, func(ctx context.Context, name string) error { return s.helm.Resume(ctx, name) })
}

func (r *Reconciler) runScaling(ctx context.Context, s *scope, kind v1alpha1.OperationType, do func(context.Context, string) error) error {
	st := &s.instance.Status
	next := v1alpha1.Operation{Type: kind, Version: st.Version, ChartDigest: st.ChartDigest, ValuesDigest: st.ValuesDigest}
	if err := previousOperationError(s, next); err != nil {
		return err
	}
	err := r.runOperation(ctx, s, next, func(ctx context.Context) error {
		for _, known := range st.Releases {
			if err := do(ctx, known.Name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	st.Stopped = kind == v1alpha1.OperationStop
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
