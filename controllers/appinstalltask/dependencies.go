package appinstalltask

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
)

// checkDependencies checks that the required dependencies of the app are running in the
// namespace of the task. Depending on spec.dependencies, the task waits for the missing
// ones or creates subtasks that install them, in dependency order.
func checkDependencies(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	operation := newOperation(r, s)
	if err := admission.CheckPlatformVersion(ctx, operation, &p.Findings); err != nil {
		return err
	}
	if s.task.Spec.Dependencies != v1alpha1.DependenciesInstall {
		return admission.CheckDependencies(ctx, operation, &p.Findings)
	}
	if missing, err := admission.HasMissingDependencies(ctx, operation); err != nil || !missing {
		return err
	}
	return addInstallSubtasks(ctx, r, s, p)
}
