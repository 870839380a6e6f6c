package appinstalltask

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
)

// checkUninstallPermission adds a finding if a subtask uninstalls an instance in another namespace and
// the tenant has no permission to do so.
func checkUninstallPermission(ctx context.Context, r *Reconciler, s *scope, p *taskFindings, step *v1alpha1.AppInstallTask) error {
	if step.Namespace == s.task.Namespace {
		return nil
	}
	allowed, err := canUninstall(ctx, r, s, step)
	if err != nil {
		return err
	}
	if !allowed {
		p.AddWithRemedy(s.uninstallDeniedError(step), admission.UninstallRoleYAML(s.tenant(), step.Namespace, step.Spec.InstanceName))
	}
	return nil
}

// canUninstall reports whether the tenant has permission to uninstall the instance of a subtask.
func canUninstall(ctx context.Context, r *Reconciler, s *scope, step *v1alpha1.AppInstallTask) (bool, error) {
	return admission.HasInstancePermission(ctx, r.Tenants, s.tenant(), admission.UninstallVerb,
		client.ObjectKey{Namespace: step.Namespace, Name: step.Spec.InstanceName})
}

// uninstallDeniedError returns the error about a subtask that the tenant has no permission for.
func (s *scope) uninstallDeniedError(step *v1alpha1.AppInstallTask) error {
	return outcome.Stalled(v1alpha1.ReasonPermissionDenied, fmt.Errorf(
		"service account %q cannot uninstall instance %q in namespace %q; an administrator of the namespace must apply %s",
		s.serviceAccountName(), step.Spec.InstanceName, step.Namespace, preflight.RemedyPlaceholder))
}
