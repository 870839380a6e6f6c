package appinstance

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/status"
)

// restartWorkloads restarts the workloads if the spec requests it. It does not change the Helm
// releases. All workloads get the time in the spec, so that an interrupted restart continues where
// it ended.
func (r *Reconciler) restartWorkloads(ctx context.Context, s *scope) error {
	if s.target == nil || !isRestartDue(s.instance) {
		return nil
	}
	at := s.instance.Spec.RestartRequestedAt.DeepCopy()
	restartRelease := func(ctx context.Context, name string) error {
		return operationKinds[v1alpha1.OperationRestart].restart(ctx, s.helm, name, at)
	}
	return changeWorkloads(ctx, r, s, v1alpha1.OperationRestart, restartRelease, func(st *v1alpha1.AppInstanceStatus) {
		st.RestartedAt = at
	})
}

// isRestartDue reports whether a restart is requested that was not carried out, or a Restart task is
// reverted whose changes were not. A user who removes the request does not revert it.
func isRestartDue(instance *v1alpha1.AppInstance) bool {
	spec, st := &instance.Spec, &instance.Status
	if st.Revision == 0 || st.Stopped || spec.DesiredState != v1alpha1.StateRunning {
		return false
	}
	record := currentSpecTask(instance)
	if !spec.RestartRequestedAt.Equal(st.RestartedAt) {
		return spec.RestartRequestedAt != nil || record.IsReverted()
	}
	return record.IsReverted() && isRestartIncomplete(instance, record.Task)
}

// isRestartIncomplete reports whether the last restart was requested by a task and failed or was
// interrupted. Some workloads may then have its time, and others not.
func isRestartIncomplete(instance *v1alpha1.AppInstance, task string) bool {
	for _, entry := range instance.Status.History {
		if operationKinds[entry.Operation.Type].restart != nil {
			return entry.Operation.Task == task && entry.Outcome != v1alpha1.OutcomeSucceeded
		}
	}
	return false
}

// isRestartRequest reports whether the reconcile request of an instance is one for a restart. Such a
// request neither updates the releases nor restores missing objects.
func isRestartRequest(instance *v1alpha1.AppInstance) bool {
	if isRestartDue(instance) {
		return true
	}
	history := instance.Status.History
	return len(history) > 0 && operationKinds[history[0].Operation.Type].restart != nil &&
		history[0].Operation.Request == status.ReconcileRequest(instance)
}
