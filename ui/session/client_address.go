package session

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwardedHeader contains the addresses through which a request came, apart from the last one. Each proxy
// appends the address from which it received the request, and a client can send any addresses before.
const forwardedHeader = "X-Forwarded-For"

// maxProxies is the number of proxies that a request can come through.
const maxProxies = 10

// ClientAddress returns the address of the client of a request: of the connection or, if that is a proxy in a
// trusted network, the address from which the first trusted proxy received the request. It is not valid if the
// address of the connection is unknown.
func ClientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	port, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address := port.Addr().Unmap().WithZone("")
	isTrusted := func(network netip.Prefix) bool { return network.Contains(address) }
	forwarded := strings.Join(r.Header.Values(forwardedHeader), ",")
	for range maxProxies {
		if !slices.ContainsFunc(trusted, isTrusted) {
			break
		}
		last := forwarded[strings.LastIndexByte(forwarded, ',')+1:]
		before, err := netip.ParseAddr(strings.TrimSpace(last))
		if err != nil {
			break
		}
		address = before.Unmap().WithZone("")
		forwarded = strings.TrimSuffix(strings.TrimSuffix(forwarded, last), ",")
	}
	return address
}
