package appinstance

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// scale stops the workloads of an instance that should be stopped, and resumes those
// of one that should run. Helm knows nothing of it: a release stays as it is.
func (r *Reconciler) scale(ctx context.Context, s *scope) error {
	if s.target == nil || s.scaled() {
		return nil
	}
	if s.instance.Spec.DesiredState == v1alpha1.StateStopped {
		return r.stop(ctx, s)
	}
	return r.resume(ctx, s)
}

// scaled reports whether the workloads are stopped, or run, as they should.
func (s *scope) scaled() bool {
	stop := s.instance.Spec.DesiredState == v1alpha1.StateStopped
	return stop == s.instance.Status.Stopped && !s.halfway()
}

// halfway reports whether the last Stop or Resume did not come to its end: then some
// workloads may be stopped and others not, whatever status.stopped says.
func (s *scope) halfway() bool {
	for _, entry := range s.instance.Status.History {
		switch entry.Operation.Type {
		case v1alpha1.OperationStop, v1alpha1.OperationResume:
			return entry.Outcome != v1alpha1.OutcomeSucceeded
		case v1alpha1.OperationUninstall:
			if entry.Outcome == v1alpha1.OutcomeSucceeded {
				return false // The workloads of that time have gone.
			}
		}
	}
	return false
}

func (r *Reconciler) stop(ctx context.Context, s *scope) error {
	return r.rescale(ctx, s, v1alpha1.OperationStop, func(ctx context.Context, name string) error { return s.helm.Stop(ctx, name) })
}

// resume brings the workloads back to what they were.
func (r *Reconciler) resume(ctx context.Context, s *scope) error {
	return r.rescale(ctx, s, v1alpha1.OperationResume, func(ctx context.Context, name string) error { return s.helm.Resume(ctx, name) })
}

func (r *Reconciler) rescale(ctx context.Context, s *scope, kind v1alpha1.OperationType, do func(context.Context, string) error) error {
	st := &s.instance.Status
	next := v1alpha1.Operation{Type: kind, Version: st.Version, ChartDigest: st.ChartDigest, ValuesDigest: st.ValuesDigest}
	if err := failedBefore(s, next); err != nil {
		return err
	}
	err := r.operate(ctx, s, next, func(ctx context.Context) error {
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
	s.keeper.MarkTrue(v1alpha1.ConditionApplied, v1alpha1.ReasonApplied, done(next))
	return s.succeeded(ctx)
}

// halted reports whether what is installed should be stopped: then nothing is done
// to its releases, whatever else the spec asks for.
func (s *scope) halted() bool {
	return s.instance.Status.Revision > 0 && s.instance.Spec.DesiredState == v1alpha1.StateStopped
}

// saysStopped is what the root condition of a stopped instance says.
func (s *scope) saysStopped() {
	s.keeper.MarkTrue(v1alpha1.ConditionHealthy, v1alpha1.ReasonStopped, "no pods, as asked for")
	s.keeper.SetReady(v1alpha1.ReasonStopped, s.running(release.Health{}))
}
