// Package market implements the rules for the sources of a namespace. The configuration of the
// operator names the namespaces that are markets. Only there can a source be shared with other
// namespaces, be of type Directory, appear in the joined index and use private addresses.
// The sources of any other namespace are available in that namespace only.
package market

import (
	"fmt"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/netguard"
)

// Namespaces are the namespaces that are markets, in the order of the joined index.
type Namespaces []string

// Has reports whether a namespace is a market.
func (n Namespaces) Has(namespace string) bool { return slices.Contains(n, namespace) }

// SharingOf returns the effective sharing of a source. Outside of a market, a source is
// shared with its own namespace only.
func (n Namespaces) SharingOf(source *v1alpha1.MarketSource) v1alpha1.FromNamespaces {
	if source.Spec.AllowedNamespaces == nil || !n.Has(source.Namespace) {
		return v1alpha1.NamespacesFromSame
	}
	return source.Spec.AllowedNamespaces.From
}

// AllowedBy returns the effective allowed namespaces of a source.
func (n Namespaces) AllowedBy(source *v1alpha1.MarketSource) *v1alpha1.AllowedNamespaces {
	allowed := &v1alpha1.AllowedNamespaces{From: n.SharingOf(source)}
	if allowed.From == v1alpha1.NamespacesFromSelector {
		allowed.Selector = source.Spec.AllowedNamespaces.Selector.DeepCopy()
	}
	return allowed
}

// IgnoredSharingMessage returns a message if spec.allowedNamespaces of a source has no effect, and an
// empty string otherwise.
func (n Namespaces) IgnoredSharingMessage(source *v1alpha1.MarketSource) string {
	sharing := source.Spec.AllowedNamespaces
	if sharing == nil || sharing.From == n.SharingOf(source) {
		return ""
	}
	return fmt.Sprintf("spec.allowedNamespaces.from: Invalid value: %q: has no effect because namespace %q is not a market, and only the namespace itself can use the source; %s",
		sharing.From, source.Namespace, remedyMessage)
}

// remedyMessage describes how to make a namespace a market.
const remedyMessage = "ask a cluster administrator to add the namespace to --market-namespaces"

// CheckDirectory returns an error if sources of type Directory are not allowed in a
// namespace.
func (n Namespaces) CheckDirectory(namespace string) error {
	if n.Has(namespace) {
		return nil
	}
	return fmt.Errorf("spec.type: Forbidden: type %q is allowed in market namespaces only, and %q is not one; use another type, or %s", v1alpha1.SourceTypeDirectory, namespace, remedyMessage)
}

// Network returns the network policy for the sources of a namespace, based on the policy for
// all namespaces.
func (n Namespaces) Network(namespace string, local netguard.Policy) netguard.Policy {
	local.Private = local.Private || n.Has(namespace)
	return local
}
