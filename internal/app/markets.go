package app

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/netguard"
)

// checkMarkets returns an error if the flags about markets cannot be meant so.
func (o *options) checkMarkets() error {
	for i, namespace := range o.markets {
		if len(validation.IsDNS1123Label(namespace)) > 0 {
			return fmt.Errorf("--market-namespaces: %q is not the name of a namespace", namespace)
		}
		if slices.Contains(o.markets[:i], namespace) {
			return fmt.Errorf("--market-namespaces: %q is named twice; the order is that of the joined index", namespace)
		}
	}
	for _, each := range o.allowed {
		if each.namespace != "" && !slices.Contains(o.markets, each.namespace) {
			return fmt.Errorf("--allowed-directories: %q is not a market; name it in --market-namespaces too", each.namespace)
		}
	}
	return nil
}

// marketNamespaces are the namespaces that are markets.
func (o *options) marketNamespaces() market.Namespaces { return market.Namespaces(o.markets) }

// network returns to which addresses requests go that the sources of a namespace cause.
func (o *options) networkPolicy(namespace string) netguard.Policy {
	return o.marketNamespaces().Network(namespace, netguard.Policy{Loopback: o.allowLoopback})
}
