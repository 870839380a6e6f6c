// Package helm contains all code that uses the Helm SDK. It does not expose types of the SDK, so
// that a new major version of Helm affects only this package.
//
// Engine renders one chart unit in the calling process. It reads the cluster only through a
// hydrate.Lookup. Call it in the processes of internal/worker, which can be killed: a template can
// loop indefinitely or allocate all memory, and Go cannot stop it.
//
// Clients returns a Client for each tenant, which installs, upgrades, rolls back, adopts, settles
// and removes Helm releases. A Client acts as the service account of the tenant and never with the
// permissions of the operator. It installs charts that have already been rendered. It does not wait
// until objects are ready; internal/health watches the objects of a Release. The operator may be
// killed at any time: the record of a release shows which operation was started, and the same
// operation continues from there when it is called again.
package helm
