package appinstalltask

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
)

// uninstallVerb is the RBAC verb that allows an account to have an instance in another
// namespace uninstalled. The permission to create tasks is not used for this purpose,
// because it would allow the account to install any chart with any service account of that
// namespace.
const uninstallVerb = "uninstall"

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
		p.AddWithRemedy(s.uninstallDeniedError(step), s.uninstallRoleYAML(step))
	}
	return nil
}

// canUninstall reports whether the tenant has permission to uninstall the instance of a
// subtask. It sends a SelfSubjectAccessReview as the tenant.
func (r *Reconciler) canUninstall(ctx context.Context, s *scope, step *v1alpha1.AppInstallTask) (bool, error) {
	tenant, err := r.Tenants.ClientFor(s.tenant())
	if err != nil {
		return false, fmt.Errorf("act as service account %s: %w", s.serviceAccountName(), err)
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: step.Namespace, Verb: uninstallVerb, Group: v1alpha1.GroupVersion.Group, Resource: "appinstances", Name: step.Spec.InstanceName,
		},
	}}
	if err := tenant.Create(ctx, review); err != nil && !apierrors.IsForbidden(err) {
		return false, fmt.Errorf("ask whether service account %s may uninstall instance %s: %w", s.serviceAccountName(), step.Spec.InstanceName, err)
	}
	return review.Status.Allowed, nil
}

// uninstallDeniedError returns the error about a subtask that the tenant has no permission for.
func (s *scope) uninstallDeniedError(step *v1alpha1.AppInstallTask) error {
	return outcome.Stalled(v1alpha1.ReasonPermissionDenied, fmt.Errorf(
		"service account %s may not uninstall instance %s in namespace %s: an administrator of that namespace must apply %s",
		s.serviceAccountName(), step.Spec.InstanceName, step.Namespace, preflight.RemedyPlaceholder))
}

// uninstallRoleYAML returns, as YAML, a Role and a RoleBinding that allow the tenant to
// uninstall the instance of a subtask. It quotes all names, because an administrator
// applies the text.
func (s *scope) uninstallRoleYAML(step *v1alpha1.AppInstallTask) string {
	name := strings.Join([]string{"appmarket", s.task.Namespace, s.serviceAccountName(), uninstallVerb, step.Spec.InstanceName}, ":")
	return fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: %[1]q
  namespace: %[2]q
rules:
- apiGroups: [%[3]q]
  resources: [appinstances]
  resourceNames: [%[4]q]
  verbs: [%[5]q]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: %[1]q
  namespace: %[2]q
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: %[1]q
subjects:
- kind: ServiceAccount
  name: %[6]q
  namespace: %[7]q
`, name, step.Namespace, v1alpha1.GroupVersion.Group, step.Spec.InstanceName, uninstallVerb, s.serviceAccountName(), s.task.Namespace)
}
