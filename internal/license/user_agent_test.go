package license_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/license"
)

func TestIssuersAndCheckoutsSeeTheUserAgent(t *testing.T) {
	t.Parallel()
	server := answers(text(string(edKeys())), text(`{"code": 1}`))
	inBubble(t, server, func(t *testing.T, opts license.Options) {
		g := NewWithT(t)
		opts.UserAgent = "market/1"
		_, err := license.NewKeys(opts).Get(t.Context(), keysURL)
		g.Expect(err).NotTo(HaveOccurred())
		_, err = license.NewCheckout(opts).Buy(t.Context(), purchase(), 1)
		g.Expect(err).To(HaveOccurred())
		var seen []string
		for _, r := range server.asked {
			seen = append(seen, r.UserAgent())
		}
		g.Expect(seen).To(Equal([]string{"market/1", "market/1"}))
	})
}
