// Package cluster reads the manifests of Helm releases, and the objects that they name from the cluster of
// a tenant.
//
// Client returns references for the objects of a manifest, with the namespaces that the cluster gives
// them, and the objects themselves. The annotations of Helm determine the release to which an object
// belongs.
package cluster
