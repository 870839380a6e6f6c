package netguard

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// ErrTokenServer indicates that a registry refers to a token server that must not receive its
// credentials.
var ErrTokenServer = errors.New("the registry refers to a token server of another domain, to which credentials are not sent")

// CheckCredentials returns ErrTokenServer if a request of a client of a registry contains
// credentials, and its server is not in the site of the registry. A client that only pulls sends
// a body only to a token server, with a password or an identity token.
func CheckCredentials(request *http.Request, registry string) error {
	hasBody := request.Body != nil && request.Body != http.NoBody
	if (hasBody || request.Header.Get("Authorization") != "") && !isSameSite(request.URL, registry) {
		return ErrTokenServer
	}
	return nil
}

// isSameSite reports whether a server is the registry, or is in the same domain. A registry often
// has a token server with another name, such as auth.docker.io. An address with another port is
// another server. Names that are not below a public suffix of the internet, such as the names of
// Services, can belong to other owners, so they are in no domain.
func isSameSite(server *url.URL, registry string) bool {
	own := (&url.URL{Host: strings.ToLower(registry)}).Hostname()
	name := strings.ToLower(server.Hostname())
	if _, err := netip.ParseAddr(own); err == nil {
		return server.Host == registry
	}
	if name == own {
		return true
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(own)
	if _, isPublic := publicsuffix.PublicSuffix(own); err != nil || !isPublic {
		return false
	}
	return name == domain || strings.HasSuffix(name, "."+domain)
}
