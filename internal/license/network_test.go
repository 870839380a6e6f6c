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

// TestIssuersAreReachedIfThePolicyAllows checks a source whose issuer and checkout are on the
// loopback interface, in a private network and in the cluster.
func TestIssuersAreReachedIfThePolicyAllows(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	for why, c := range map[string]struct {
		policy netguard.Policy
		url    string
	}{
		"loopback":                 {netguard.Policy{}, server.URL},
		"loopback, for a market":   {netguard.Policy{Private: true}, server.URL},
		"a private address":        {netguard.Policy{Loopback: true}, "https://192.168.1.1/keys"},
		"a service of the cluster": {netguard.Policy{Loopback: true}, "https://vault.team.svc.cluster.local/keys"},
		"the metadata of a cloud":  {netguard.Policy{Loopback: true, Private: true}, "https://169.254.169.254/keys"},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			transport := netguard.NewTransport(netguard.TransportOptions{Policy: c.policy})
			defer transport.CloseIdleConnections()
			options := license.Options{Transport: transport}
			_, err := license.NewKeys(options).Get(t.Context(), c.url)
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLicenseKeysUnavailable))
			g.Expect(err).To(MatchError(ContainSubstring("address is not allowed")))
			purchase := newPurchase()
			purchase.URL = c.url
			_, err = license.NewCheckout(options).Buy(t.Context(), purchase, 1)
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPurchaseFailed))
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "the address is the same for each attempt")
		})
	}
	NewWithT(t).Expect(requests.Load()).To(BeZero(), "no connection is opened")
}
