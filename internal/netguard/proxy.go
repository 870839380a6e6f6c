package netguard

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// CheckURL returns an error of type Refused if the host of a URL is an address that must not
// be connected to, a private name that the policy does not allow, or a number in a form that
// only some programs accept as an address, which a proxy might do. The addresses of other
// names are checked by Control.
func (p Policy) CheckURL(u *url.URL) error {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return p.CheckAddress(addr)
	}
	switch {
	case endsInNumber(host):
		return Refused("number in a nonstandard form")
	case host == "metadata.google.internal":
		return Refused("cloud metadata service")
	case isInDomain(host, "localhost") && !p.Loopback:
		return loopback
	case !p.Private && isNonPublicName(host):
		return private
	}
	return nil
}

// nonPublicDomains are domains without public names: Kubernetes services, and domains that
// are reserved for private networks.
var nonPublicDomains = []string{"svc", "cluster.local", "local", "internal", "home.arpa"}

// isNonPublicName reports whether a name belongs to a private network, in which a proxy or a
// resolver with a search list would look it up.
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
// 0xa9fea9fe and 169.254.43518, which some programs accept as 169.254.169.254. No top-level
// domain is a number.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if digits, isHexadecimal := strings.CutPrefix(last, "0x"); isHexadecimal {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// chooseProxy returns the proxy for a request. Connections to a proxy of the environment are not
// checked, because the configuration of the operator contains it. Requests for other content at its
// address are rejected.
func (d *dialer) chooseProxy(request *http.Request) (*url.URL, error) {
	target := hostPort(request.URL)
	policy := d.policyFor(target)
	if err := policy.CheckURL(request.URL); err != nil {
		return nil, err
	}
	if d.proxy != nil && !d.trusted[target] {
		if err := d.policy.CheckURL(d.proxy); err != nil {
			return nil, proxyError(err)
		}
		return d.proxy, d.names.check(request.Context(), request.URL.Hostname(), policy)
	}
	proxy, err := d.environment(request)
	if err != nil {
		return nil, err
	}
	if proxy != nil {
		d.proxies.Store(hostPort(proxy), true)
		return proxy, d.names.check(request.Context(), request.URL.Hostname(), policy)
	}
	if _, isProxy := d.proxies.Load(target); isProxy {
		return nil, Refused("proxy")
	}
	return nil, nil
}

// isProxy reports whether connections to an address are connections to a proxy.
func (d *dialer) isProxy(address string) bool {
	_, isEnvironment := d.proxies.Load(strings.ToLower(address))
	return isEnvironment || d.isOwnProxy(address)
}

// isOwnProxy reports whether connections to an address are connections to the proxy of the options.
func (d *dialer) isOwnProxy(address string) bool {
	return d.proxy != nil && hostPort(d.proxy) == strings.ToLower(address)
}

// defaultPorts are the ports for URLs without port.
var defaultPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// hostPort returns the address that a transport connects to for a URL.
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
