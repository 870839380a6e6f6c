package netguard

import (
	"net/netip"
	"syscall"
)

// Refused says which kind of address a connection was refused to.
type Refused string

func (r Refused) Error() string {
	return "the URL leads to an address that is " + string(r) + ", to which the operator makes no connection: use another host"
}

// metadata are addresses outside of the link-local ranges at which clouds give machines
// and pods their credentials: those of Amazon, Google, Alibaba and Azure.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"),
	netip.MustParsePrefix("fd20:ce::254/128"),
	netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("168.63.129.16/32"),
}

// broadcast is the address of all machines of a network.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// translations are the prefixes under which an IPv4 address is reached over IPv6, and the
// byte at which it begins: RFC 6052, RFC 8215 and 6to4.
var translations = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
}

// CheckAddress returns an error of type Refused for an address to which no connection is
// made.
func CheckAddress(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()
	for _, translation := range translations {
		if translation.prefix.Contains(addr) {
			raw := addr.As16()
			addr = netip.AddrFrom4([4]byte(raw[translation.at:]))
			break
		}
	}
	switch {
	case addr.IsUnspecified():
		return Refused("unspecified")
	case addr.IsLinkLocalUnicast():
		return Refused("link-local")
	case addr.IsMulticast() || addr == broadcast:
		return Refused("multicast or broadcast")
	}
	for _, prefix := range metadata {
		if prefix.Contains(addr) {
			return Refused("the metadata service of a cloud")
		}
	}
	return nil
}

// Control is for net.Dialer: it checks the address itself, when the connection is made.
func Control(_, address string, _ syscall.RawConn) error {
	port, err := netip.ParseAddrPort(address)
	if err != nil {
		return Refused("no IP address")
	}
	return CheckAddress(port.Addr())
}
