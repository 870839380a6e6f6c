package netguard

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// CheckURL returns an error of type Refused if the host of a URL is an address to which no
// connection is made, a name of a place inside that the policy does not allow, or a number
// in a form that only some programs take for an address: what a proxy makes of it is not
// known. What other names lead to is left to Control.
func (p Policy) CheckURL(u *url.URL) error {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return p.CheckAddress(addr)
	}
	switch {
	case endsInNumber(host):
		return Refused("not written as an IP address")
	case host == "metadata.google.internal":
		return Refused("the metadata service of a cloud")
	case isInDomain(host, "localhost") && !p.Loopback:
		return loopback
	case !p.Private && isNonPublicName(host):
		return private
	}
	return nil
}

// insideDomains are domains of which no name is public: those of Kubernetes services and
// the ones that are set aside for private networks.
var nonPublicDomains = []string{"svc", "cluster.local", "local", "internal", "home.arpa"}

// isInside reports whether a name is one of a private network: a proxy, or a resolver with
// a search list, would look it up there.
func isNonPublicName(host string) bool {
	if host == "" || isInDomain(host, "localhost") {
		return false
	}
	for _, domain := range nonPublicDomains {
		if isInDomain(host, domain) {
			return true
		}
	}
	return !strings.Contains(host, ".")
}

func isInDomain(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// endsInNumber reports whether the last label of a host is a number, as in 2852039166,
// 0xa9fea9fe and 169.254.43518, which all are 169.254.169.254 to some programs. No
// top-level domain is one.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if digits, isHexadecimal := strings.CutPrefix(last, "0x"); isHexadecimal {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// chooseProxy returns the proxy of a request. Connections to a proxy are not checked, since the
// operator's environment names it; so nothing else is reached at its address.
func (d *dialer) chooseProxy(request *http.Request) (*url.URL, error) {
	target := hostPort(request.URL)
	if err := d.policyFor(target).CheckURL(request.URL); err != nil {
		return nil, err
	}
	proxy, err := d.environment(request)
	if err != nil {
		return nil, err
	}
	if proxy != nil {
		d.proxies.Store(hostPort(proxy), true)
		return proxy, nil
	}
	if _, isProxy := d.proxies.Load(target); isProxy {
		return nil, Refused("that of the proxy")
	}
	return nil, nil
}

// ports are those that are meant where a URL has none.
var defaultPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// hostPort is the address that a transport dials for a URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = defaultPorts[u.Scheme]
	}
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return strings.ToLower(host) + ":" + port
}
