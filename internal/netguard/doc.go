// Package netguard is the one policy for requests to servers that users name: sources,
// image registries, issuers of licenses and whatever these redirect to.
//
// Policy says to which addresses connections are made. Link-local addresses, the metadata
// services of clouds and addresses of many machines are refused to everybody: there a
// machine or a cloud answers with credentials. Loopback is for local runs only. Private and
// shared ranges are for sources of market namespaces, whose administrators the cluster's
// administrator has chosen; to others the operator would be a way past the network policies
// of their own namespace.
//
// An address is checked when a connection is made, after names were resolved, so that no
// answer of a name server leads around it. The host of a URL is checked before a proxy is
// asked, since behind a proxy nothing here connects to it.
//
// The rest is what all clients have in common: the user agent, redirects, Retry-After and the
// bound on a body. No error quotes what a server answered.
package netguard
