package appinstalltask

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
)

// checkUninstallPermission adds a finding if a subtask uninstalls an instance in another namespace and
// the tenant has no permission to do so.
func (r *Reconciler) checkUninstallPermission(ctx context.Context, s *scope, p *taskFindings, step *v1alpha1.AppInstallTask) error {
	if step.Namespace == s.task.Namespace {
		return nil
	}
	allowed, err := r.canUninstall(ctx, s, step)
	if err != nil {
		return err
	}
	if !allowed {
		p.AddWithRemedy(s.uninstallDeniedError(step), admission.UninstallRoleYAML(s.tenant(), step.Namespace, step.Spec.InstanceName))
	}
	return nil
}

// canUninstall reports whether the tenant has permission to uninstall the instance of a
// subtask. It sends a SelfSubjectAccessReview as the tenant.
func (r *Reconciler) canUninstall(ctx context.Context, s *scope, step *v1alpha1.AppInstallTask) (bool, error) {
	tenant, err := r.Tenants.ClientFor(s.tenant())
	if err != nil {
		return false, fmt.Errorf("impersonate service account %q: %w", s.serviceAccountName(), err)
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: step.Namespace, Verb: admission.UninstallVerb, Group: v1alpha1.GroupVersion.Group, Resource: "appinstances", Name: step.Spec.InstanceName,
		},
	}}
	if err := tenant.Create(ctx, review); err != nil && !apierrors.IsForbidden(err) {
		return false, fmt.Errorf("review permission of service account %q to uninstall instance %q: %w", s.serviceAccountName(), step.Spec.InstanceName, err)
	}
	return review.Status.Allowed, nil
}

// uninstallDeniedError returns the error about a subtask that the tenant has no permission for.
func (s *scope) uninstallDeniedError(step *v1alpha1.AppInstallTask) error {
	return outcome.Stalled(v1alpha1.ReasonPermissionDenied, fmt.Errorf(
		"service account %q cannot uninstall instance %q in namespace %q; an administrator of the namespace must apply %s",
		s.serviceAccountName(), step.Spec.InstanceName, step.Namespace, preflight.RemedyPlaceholder))
}
