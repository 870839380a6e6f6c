// Package collector asks the API server for the facts that internal/preflight compares
// an app with, and says what stands in the way of it.
//
// What belongs to the whole cluster, its nodes with the pods on them, its storage
// classes and its version, is asked for with the operator's identity, once for all
// tenants, and remembered for ten seconds. What belongs to a tenant, its quotas and
// its rights, is asked for as the tenant's service account: where that may not read
// its own quotas, nothing is said about them. Nothing is written.
package collector
