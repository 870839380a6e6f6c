// Package release installs, upgrades, rolls back, adopts and removes Helm releases. It is the adapter of
// the interfaces in internal/release, and does not expose types of the Helm SDK.
//
// Clients returns a Client for each tenant. A Client acts as the service account of the tenant and never
// with the permissions of the operator. It installs charts that have already been rendered. It does not
// wait until objects are ready; internal/health watches the objects of a release. The operator may be
// killed at any time: the record of a release shows which operation was started, and the same operation
// continues from there when it is called again.
package release
