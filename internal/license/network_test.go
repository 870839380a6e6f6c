package license_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

// TestIssuersAreReachedWhereThePolicyAllows has a source name an issuer and a checkout on
// the machine itself, in a private network and in the cluster.
func TestIssuersAreReachedWhereThePolicyAllows(t *testing.T) {
	var asked atomic.Int32
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer inside.Close()
	for why, c := range map[string]struct {
		policy netguard.Policy
		url    string
	}{
		"the machine itself":               {netguard.Policy{}, inside.URL},
		"the machine itself, for a market": {netguard.Policy{Private: true}, inside.URL},
		"a private address":                {netguard.Policy{Loopback: true}, "https://192.168.1.1/keys"},
		"a service of the cluster":         {netguard.Policy{Loopback: true}, "https://vault.team.svc.cluster.local/keys"},
		"the metadata of a cloud":          {netguard.Policy{Loopback: true, Private: true}, "https://169.254.169.254/keys"},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			transport := netguard.NewTransport(netguard.TransportOptions{Policy: c.policy})
			defer transport.CloseIdleConnections()
			options := license.Options{Transport: transport}
			_, err := license.NewKeys(options).Get(t.Context(), c.url)
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLicenseKeysUnavailable))
			g.Expect(err).To(MatchError(ContainSubstring("its address is not allowed")))
			asks := newPurchase()
			asks.URL = c.url
			_, err = license.NewCheckout(options).Buy(t.Context(), asks, 1)
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPurchaseFailed))
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "the address is the same at the next attempt")
		})
	}
	NewWithT(t).Expect(asked.Load()).To(BeZero(), "no connection was made")
}
