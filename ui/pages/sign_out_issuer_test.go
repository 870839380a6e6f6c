package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	testissuer "github.com/appmarket/operator/test/issuer"
)

func (i *issuerSite) testSignOut(t *testing.T) {
	g := NewWithT(t)
	i.issuer.Configure(nil)
	b := i.signInAtIssuer(t)
	response := b.post(t, "/logout", nil)
	g.Expect(response.StatusCode).To(Equal(http.StatusOK))
	address, err := url.Parse(strings.TrimPrefix(response.Header.Get("Refresh"), "0; url="))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(address.Scheme + "://" + address.Host + address.Path).To(Equal(i.issuer.URL + "/logout"))
	g.Expect(address.Query()).To(Equal(url.Values{"client_id": {testissuer.ClientID}, "post_logout_redirect_uri": {b.base + "/login"}}))
	g.Expect(response.text).NotTo(ContainSubstring("eyJ"))
	g.Expect(b.get(t, "/about").Header.Get("Location")).To(Equal("/login"))
	g.Expect(b.get(t, "/login").StatusCode).To(Equal(http.StatusOK), "the user is not signed in again without asking")
}
