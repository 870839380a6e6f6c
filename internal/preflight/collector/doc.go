// Package collector collects the state of the cluster that package preflight compares an app
// with, and returns the problems of the app.
//
// The state of the whole cluster, which consists of nodes, pods, storage classes and the version,
// is read with the identity of the operator and cached for at least ten seconds for all tenants.
// The state of a namespace, such as quotas and permissions, is read as the service account of the
// tenant. Quotas that the account may not read are not checked. The collector changes nothing.
package collector
