package netguard

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// CheckURL returns an error of type Refused if the host of a URL is an address to which no
// connection is made, or a number in a form that only some programs take for an address:
// what a proxy makes of it is not known. Names are left to Control.
func CheckURL(u *url.URL) error {
	host := u.Hostname()
	if addr, err := netip.ParseAddr(host); err == nil {
		return CheckAddress(addr)
	}
	if endsInNumber(host) {
		return Refused("not written as an IP address")
	}
	return nil
}

// endsInNumber reports whether the last label of a host is a number, as in 2852039166,
// 0xa9fea9fe and 169.254.43518, which all are 169.254.169.254 to some programs. No
// top-level domain is one.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if digits, isHexadecimal := strings.CutPrefix(strings.ToLower(last), "0x"); isHexadecimal {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// Proxy is for http.Transport: it checks the host of each request, also of one that
// follows a redirect, and then returns the proxy that the environment names.
func Proxy(request *http.Request) (*url.URL, error) {
	if err := CheckURL(request.URL); err != nil {
		return nil, err
	}
	return http.ProxyFromEnvironment(request)
}
