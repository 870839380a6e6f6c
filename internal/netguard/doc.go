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
// server can bypass the check. Before a proxy is used, the host of a URL is checked, and the
// addresses of its name if the operator can resolve it, because the operator does not connect to
// it then. A proxy of TransportOptions is checked as other servers; a proxy of the environment is
// configured with the operator.
//
// A client certificate is presented to one host and port, and to no other server or proxy.
//
// The package also contains what all clients share: the user agent, redirects, Retry-After
// and limits on bodies. No error contains a response.
package netguard
