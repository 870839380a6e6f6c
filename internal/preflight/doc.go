// Package preflight checks, before an app is installed, whether the cluster and the tenant
// meet the requirements of the app: nodes with its architecture, with enough resources and
// with the requested devices and labels; kinds, a Kubernetes version, a storage class,
// quotas, a Pod Security level; and permissions of the tenant's service account.
//
// All problems are reported together. The message of each problem is one sentence that
// contains the object, its requirement, the state of the cluster, and the solution. A
// problem about missing permissions contains a role that grants them.
//
// The package does not access the cluster. ParseRequest converts a Request to Requirements,
// and Requirements.Check compares them with Facts, which internal/preflight/collector reads
// from the API server. Unknown facts, such as a quota that the tenant has no permission to
// read, are not problems.
package preflight
