package market_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/netguard"
)

func TestSharing(t *testing.T) {
	const same, all, selector = v1alpha1.NamespacesFromSame, v1alpha1.NamespacesFromAll, v1alpha1.NamespacesFromSelector
	markets := market.Namespaces{"shop", "lab"}
	for _, c := range []struct {
		why       string
		markets   market.Namespaces
		namespace string
		asks      v1alpha1.FromNamespaces
		want      v1alpha1.FromNamespaces
	}{
		{"a market, shared with all", markets, "shop", all, all},
		{"a market, shared with some", markets, "lab", selector, selector},
		{"a market, not shared", markets, "lab", same, same},
		{"a market, sharing not specified", markets, "shop", "", same},
		{"a tenant, shared with all", markets, "team", all, same},
		{"a tenant, shared with some", markets, "team", selector, same},
		{"a tenant, not shared", markets, "team", same, same},
		{"a tenant, sharing not specified", markets, "team", "", same},
		{"a namespace whose name begins with the name of a market", markets, "shop-2", all, same},
		{"no market is configured", nil, "shop", all, same},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			source := &v1alpha1.MarketSource{}
			source.Namespace = c.namespace
			if c.asks != "" {
				source.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: c.asks}
			}
			g.Expect(c.markets.SharingOf(source)).To(Equal(c.want))
			if c.asks == "" || c.asks == c.want {
				g.Expect(c.markets.IgnoredSharingMessage(source)).To(BeEmpty())
				return
			}
			g.Expect(c.markets.IgnoredSharingMessage(source)).To(And(
				ContainSubstring(string(c.asks)), ContainSubstring(c.namespace), ContainSubstring("--market-namespaces")))
		})
	}
}

func TestDirectoriesAndPrivateAddressesRequireAMarket(t *testing.T) {
	g := NewWithT(t)
	markets := market.Namespaces{"shop"}
	g.Expect(markets.CheckDirectory("shop")).To(Succeed())
	g.Expect(markets.CheckDirectory("team")).To(MatchError(And(ContainSubstring(`"team"`), ContainSubstring("--market-namespaces"))))
	g.Expect(markets.Network("shop", netguard.Policy{})).To(Equal(netguard.Policy{Private: true}))
	g.Expect(markets.Network("team", netguard.Policy{})).To(Equal(netguard.Policy{}))
	g.Expect(markets.Network("team", netguard.Policy{Loopback: true})).To(Equal(netguard.Policy{Loopback: true}), "a local run")
}
