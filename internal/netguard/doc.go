// Package netguard is the policy for requests to servers that users configure: sources, image
// registries, issuers of licenses, and the servers that these redirect to.
//
// Policy specifies the allowed addresses. Link-local addresses, the metadata services of
// clouds, and multicast and broadcast addresses are never allowed, because a machine or a
// cloud responds there with credentials. Loopback is for local runs only. Private and shared
// ranges are for sources of market namespaces, whose administrators the cluster administrator
// has chosen; other users could otherwise bypass the network policies of their namespace.
//
// An address is checked when a connection is opened, after name resolution, so that no name
// server can bypass the check. The host of a URL is checked before a proxy is used, because
// the operator does not connect to it then.
//
// The package also contains what all clients share: the user agent, redirects, Retry-After
// and limits on bodies. No error contains a response.
package netguard
