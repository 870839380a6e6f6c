package ui

import (
	"fmt"
	"net"

	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/ui/issuer"
	"github.com/appmarket/operator/ui/pages"
	"github.com/appmarket/operator/ui/session"
)

// addSignIn sets how users sign in to the pages.
func (o *options) addSignIn(po *pages.Options, address net.Addr) error {
	var err error
	switch o.auth {
	case authToken:
		if po.TrustedProxies, err = o.proxyNetworks(); err != nil {
			return fmt.Errorf("sign-in with --auth=token: %w", err)
		}
	case authLocal:
		po.Link, po.LocalAuthority = &session.Link{}, address.String()
	case authOIDC:
		if po.TrustedProxies, err = o.proxyNetworks(); err != nil {
			return fmt.Errorf("sign-in with --auth=oidc: %w", err)
		}
		if po.Issuer, err = issuer.New(issuer.Options{
			URL: o.issuerURL, ClientID: o.clientID, SecretFile: o.clientSecretFile, CAFile: o.issuerCAFile, Scopes: splitList(o.scopes),
			PublicURL: o.publicURL, UserAgent: "appmarket-ui/" + po.Version,
		}); err != nil {
			return fmt.Errorf("sign-in with --auth=oidc: %w", err)
		}
	case authProxy:
		if po.Proxy, err = o.newProxy(); err != nil {
			return fmt.Errorf("sign-in with --auth=proxy: %w", err)
		}
		po.SignOutURL, po.TrustedProxies = o.proxySignOut, po.Proxy.Networks()
	}
	po.Cookies, err = o.newCookies(address)
	return err
}

func (o *options) newProxy() (*session.Proxy, error) {
	networks, err := o.proxyNetworks()
	if err != nil {
		return nil, err
	}
	if o.proxyClientCA != "" {
		// The file is read again for each request. A wrong path is an error at startup.
		if _, err := session.ReadCertificates(o.proxyClientCA); err != nil {
			return nil, err
		}
	}
	return &session.Proxy{Trusted: networks, ClientCAFile: o.proxyClientCA, Loopback: netguard.IsLoopback(o.address)}, nil
}

// newCookies returns the cookies of the sessions. The cookies of a local server have its port in
// their names, because browsers do not separate cookies by port. A session at an issuer has cookies
// with another name, so that a session does not outlive a change of the sign-in method.
func (o *options) newCookies(address net.Addr) (*session.Cookies, error) {
	var keys [][]byte
	if o.sessionKeys != "" {
		var err error
		if keys, err = session.ReadKeys(o.sessionKeys); err != nil {
			return nil, err
		}
	}
	switch o.auth {
	case authLocal:
		_, port, err := net.SplitHostPort(address.String())
		if err != nil {
			return nil, err
		}
		return session.NewCookies("appmarket-"+port, false, keys...)
	case authOIDC:
		return session.NewCookies("appmarket-oidc", true, keys...)
	}
	return session.NewCookies("appmarket", true, keys...)
}
