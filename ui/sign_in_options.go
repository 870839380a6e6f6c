package ui

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/appmarket/operator/internal/netguard"
)

// Sign-in methods.
const (
	// authToken signs in the owner of a token.
	authToken = "token"
	// authOIDC signs in at an issuer of OpenID Connect, whose identity token is the token.
	authOIDC = "oidc"
	// authProxy has an authenticating proxy sign in.
	authProxy = "proxy"
	// authLocal signs in with a one-time link, as the user of the kubeconfig of the process.
	authLocal = "local"
)

// signInOptions are the values of the flags about signing in.
type signInOptions struct {
	auth string

	issuerURL        string
	clientID         string
	clientSecretFile string
	scopes           string
	issuerCAFile     string

	trustedProxies string
	proxyClientCA  string
	proxySignOut   string
}

func (o *signInOptions) addFlags(f *flag.FlagSet) {
	f.StringVar(&o.auth, "auth", authToken, "Sign-in method: token, with a token of a Kubernetes account, oidc, at an issuer of OpenID Connect that the API server trusts, proxy, by an authenticating proxy, or local, with a one-time link that is printed at startup and acts as the user of the kubeconfig.")
	f.StringVar(&o.issuerURL, "oidc-issuer-url", "", "URL of the issuer, as in the configuration of the API server. Required if --auth is oidc.")
	f.StringVar(&o.clientID, "oidc-client-id", "", "Client ID of the pages at the issuer. The API server must accept it as audience. Required if --auth is oidc.")
	f.StringVar(&o.clientSecretFile, "oidc-client-secret-file", "", "File with the client secret. It is read for each sign-in. If empty, the client has no secret.")
	f.StringVar(&o.scopes, "oidc-scopes", "openid,profile,email", "Scopes to request, separated by commas. Many issuers issue a refresh token only for offline_access.")
	f.StringVar(&o.issuerCAFile, "oidc-ca-file", "", "File with the certificates of the authorities that are trusted for the issuer. If empty, the authorities of the system are trusted.")
	f.StringVar(&o.trustedProxies, "trusted-proxies", "", "Networks of the proxies in front of the pages in CIDR notation, separated by commas. X-Forwarded-For from these networks names the client for which failed sign-in attempts, sign-ins at an issuer, and with --auth=proxy checks of credentials are limited. With --auth=proxy, X-Forwarded-User and X-Forwarded-Groups are accepted from these networks only with a client certificate of --proxy-client-ca. From loopback addresses, they are accepted without a certificate if a network contains the address, or if --bind-address is a loopback address.")
	f.StringVar(&o.proxyClientCA, "proxy-client-ca", "", "File with the certificates of the authorities that sign the client certificate of the proxy. It is read for each request. Requires --cert-dir.")
	f.StringVar(&o.proxySignOut, "proxy-sign-out-url", "", "URL or path at which users sign out of the proxy, such as /oauth2/sign_out.")
}

// validateSignIn validates the flags about signing in.
func (o *options) validateSignIn() error {
	switch o.auth {
	case authToken:
		_, err := o.proxyNetworks()
		return err
	case authLocal:
		if !netguard.IsLoopback(o.address) {
			return fmt.Errorf("--bind-address: Invalid value: %q: must be a loopback address such as 127.0.0.1:8090 with --auth=local, "+
				"because every client that reaches the pages could try to use the kubeconfig", o.address)
		}
		return nil
	case authOIDC:
		return o.validateIssuer()
	case authProxy:
		return o.validateProxy()
	}
	return fmt.Errorf("--auth: Unsupported value: %q: must be %s, %s, %s or %s", o.auth, authToken, authOIDC, authProxy, authLocal)
}

func (o *options) validateIssuer() error {
	if o.issuerURL == "" || o.clientID == "" {
		return errors.New("--oidc-issuer-url and --oidc-client-id: Required value: must be set with --auth=oidc")
	}
	public, err := url.Parse(o.publicURL)
	isOrigin := err == nil && strings.Trim(public.Path, "/") == "" && public.RawQuery == "" && public.Fragment == "" && public.User == nil
	if !isOrigin || public.Scheme != "https" && !netguard.IsLoopback(public.Hostname()) {
		return fmt.Errorf("--public-url: Invalid value: %q: must be an https URL without a path with --auth=oidc, because the issuer sends users back to it", o.publicURL)
	}
	_, err = o.proxyNetworks()
	return err
}

func (o *options) validateProxy() error {
	if _, err := o.proxyNetworks(); err != nil {
		return err
	}
	if o.proxyClientCA != "" && o.certDir == "" {
		return errors.New("--cert-dir: Required value: must be set with --proxy-client-ca, because client certificates require TLS")
	}
	if o.proxySignOut != "" && !isSignOutAddress(o.proxySignOut) {
		return fmt.Errorf("--proxy-sign-out-url: Invalid value: %q: must be a URL or a path such as /oauth2/sign_out", o.proxySignOut)
	}
	return nil
}

// isSignOutAddress reports whether a text is an HTTP URL or a path.
func isSignOutAddress(text string) bool {
	address, err := url.Parse(text)
	if err != nil {
		return false
	}
	isPath := address.Scheme == "" && address.Host == "" && strings.HasPrefix(text, "/")
	return isPath || address.Scheme == "http" || address.Scheme == "https"
}

// proxyNetworks returns the networks of --trusted-proxies.
func (o *signInOptions) proxyNetworks() ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range splitList(o.trustedProxies) {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies: Invalid value: %q: must be a network such as 10.0.0.0/24", text)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

// splitList returns the items of a list that is separated by commas.
func splitList(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
}
