package preflight

import (
	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// ImpersonationProblem returns the problem of a tenant whose service account the operator
// has no permission to impersonate. No other check of the tenant is possible, and only an
// administrator can solve it.
func ImpersonationProblem(tenant release.Tenant) Problem {
	return newTransientProblem(v1alpha1.ReasonPermissionDenied,
		"the operator cannot impersonate service account %q in namespace %q; a cluster administrator must add the namespace to the value tenants of the operator's chart, or bind the ClusterRole appmarket-impersonated-accounts to the operator in the namespace",
		tenant.ServiceAccount, tenant.Namespace)
}
