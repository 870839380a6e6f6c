package app

import (
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/netguard"
)

// newIssuers returns a function that returns the clients for license issuers, for the sources
// of a namespace.
func newIssuers(o *options) func(namespace string) installplan.Issuers {
	known := map[netguard.Policy]installplan.Issuers{}
	for _, private := range []bool{true, false} {
		policy := netguard.Policy{Loopback: o.allowLoopback, Private: private}
		options := license.Options{
			Transport: netguard.NewTransport(netguard.TransportOptions{Policy: policy, UserAgent: userAgent()}),
		}
		known[policy] = installplan.Issuers{Keys: license.NewKeys(options), Checkout: license.NewCheckout(options)}
	}
	return func(namespace string) installplan.Issuers { return known[o.networkPolicy(namespace)] }
}
