package preflight

import (
	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// ImpersonationProblem returns the problem of a tenant whose service account the operator
// has no permission to impersonate. No other check of the tenant is possible, and only an
// administrator can solve it.
func ImpersonationProblem(of release.Tenant) Problem {
	return newTransientProblem(v1alpha1.ReasonPermissionDenied,
		"the operator may not act as service account %s of namespace %s: an administrator of the market must add the namespace to the value tenants of the operator's chart, or bind the ClusterRole appmarket-impersonated-accounts in it to the operator",
		of.ServiceAccount, of.Namespace)
}
