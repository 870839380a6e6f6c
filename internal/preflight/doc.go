// Package preflight says, before an app is installed, what the cluster and the
// tenant do not have that the app asks for: nodes of its architecture, with room
// and with the devices and labels it wants; kinds, a Kubernetes version, a storage
// class, a quota, a Pod Security level; and rights of the tenant's service account.
//
// Everything that is wrong is found at once, and each problem says in one sentence
// which object asks for what, what there is, and how to mend it. For rights that are
// missing, the role that would suffice comes with it.
//
// The package is pure: a Wish is read into a Demand, and a Demand is compared with
// Facts. It is internal/preflight/collector that asks the API server. What is not known, such as
// a quota that the tenant may not read, is no problem: the installation finds out.
package preflight
