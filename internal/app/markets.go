package app

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/netguard"
)

// checkMarkets returns an error if the flags for markets are inconsistent.
func (o *options) checkMarkets() error {
	for i, namespace := range o.markets {
		if len(validation.IsDNS1123Label(namespace)) > 0 {
			return fmt.Errorf("--market-namespaces: Invalid value: %q: must be a DNS label", namespace)
		}
		if slices.Contains(o.markets[:i], namespace) {
			return fmt.Errorf("--market-namespaces: Duplicate value: %q; remove one, the order is the precedence in the aggregate index", namespace)
		}
	}
	for _, each := range o.allowed {
		if each.namespace != "" && !slices.Contains(o.markets, each.namespace) {
			return fmt.Errorf("--allowed-directories: Invalid value: %q: must be a market namespace; add it to --market-namespaces", each.namespace)
		}
	}
	return nil
}

// marketNamespaces returns the namespaces that are markets.
func (o *options) marketNamespaces() market.Namespaces { return market.Namespaces(o.markets) }

// networkPolicy returns the policy for requests caused by the sources of a namespace.
func (o *options) networkPolicy(namespace string) netguard.Policy {
	return o.marketNamespaces().Network(namespace, netguard.Policy{Loopback: o.allowLoopback})
}
