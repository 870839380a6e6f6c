// Package market says what the sources of a namespace may do. Which namespaces are markets
// is the configuration of the operator: only there may a source be shared with other
// namespaces, be of type Directory, appear in the joined index and reach private
// addresses. Whoever administers any other namespace may have sources for that namespace
// alone.
package market

import (
	"fmt"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/netguard"
)

// Namespaces are the namespaces that are markets, in the order in which they come in the
// joined index.
type Namespaces []string

// Has reports whether a namespace is a market.
func (n Namespaces) Has(namespace string) bool { return slices.Contains(n, namespace) }

// SharingOf returns with whom a source is shared: outside of a market with its own
// namespace only, whatever its spec says.
func (n Namespaces) SharingOf(source *v1alpha1.MarketSource) v1alpha1.SharingFrom {
	if source.Spec.Sharing == nil || !n.Has(source.Namespace) {
		return v1alpha1.SharingSame
	}
	return source.Spec.Sharing.From
}

// IgnoredSharingMessage returns what to do about spec.sharing of a source for which it has
// no effect, and an empty text for any other.
func (n Namespaces) IgnoredSharingMessage(source *v1alpha1.MarketSource) string {
	sharing := source.Spec.Sharing
	if sharing == nil || sharing.From == n.SharingOf(source) {
		return ""
	}
	return fmt.Sprintf("spec.sharing.from: %q has no effect, since namespace %q is not a market: only the namespace itself may use the source; %s",
		sharing.From, source.Namespace, remedyMessage)
}

// remedy is what makes a namespace a market.
const remedyMessage = "have the administrator of the cluster name the namespace in --market-namespaces"

// CheckDirectory returns an error if the sources of a namespace may not be of type
// Directory.
func (n Namespaces) CheckDirectory(namespace string) error {
	if n.Has(namespace) {
		return nil
	}
	return fmt.Errorf("spec.type: %q is only for market namespaces, which %q is not: use another type, or %s", v1alpha1.SourceTypeDirectory, namespace, remedyMessage)
}

// Network returns to which addresses the sources of a namespace lead, where local says
// what is allowed to all.
func (n Namespaces) Network(namespace string, local netguard.Policy) netguard.Policy {
	local.Private = local.Private || n.Has(namespace)
	return local
}
