package pages_test

import (
	"testing"

	testissuer "github.com/appmarket/operator/test/issuer"
	"github.com/appmarket/operator/ui/pages"
	"github.com/appmarket/operator/ui/session"
)

// startSignInServers starts the pages with sign-in at an issuer and behind a proxy, for the same API server,
// and returns their URLs. The API server does not trust the issuer: the tests look at the pages before a user
// is signed in.
func (s *site) startSignInServers(t *testing.T) map[string]string {
	t.Helper()
	provider := testissuer.Start(t)
	byIssuer := startSiteOf(t, s.Env, false, func(started *site, o *pages.Options) {
		o.Issuer = newIssuer(t, provider, "http://"+started.server.Listener.Addr().String())
	})
	byProxy := startSiteOf(t, s.Env, false, func(_ *site, o *pages.Options) {
		o.Proxy, o.SignOutURL = &session.Proxy{Loopback: true}, "/oauth2/sign_out"
	})
	return map[string]string{"issuer": byIssuer.server.URL, "proxy": byProxy.server.URL}
}
