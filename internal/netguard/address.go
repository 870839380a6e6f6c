package netguard

import (
	"net/netip"
	"syscall"
)

// Refused says which kind of address a connection was refused to.
type Refused string

// Kinds of addresses that a Policy may allow.
const (
	loopback Refused = "loopback"
	private  Refused = "private"
)

func (r Refused) Error() string {
	text := "the URL leads to an address that is " + string(r) + ", to which the operator makes no connection: use another host"
	if r == private {
		text += ", or have the administrator of the cluster name the namespace in --market-namespaces"
	}
	return text
}

// Policy says to which addresses connections are made. The zero value allows public ones.
type Policy struct {
	// Loopback allows the addresses of the machine itself.
	Loopback bool
	// Private allows the ranges that are not routed in the internet: RFC 1918, RFC 6598,
	// unique local addresses and those that are reserved.
	Private bool
}

// metadata are addresses outside of the link-local ranges at which clouds give machines
// and pods their credentials: those of Amazon, Google, Alibaba and Azure.
var metadata = parsePrefixes("fd00:ec2::/32", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32")

// inside are ranges that are not routed in the internet, beside those that netip knows:
// shared and reserved ranges, protocol assignments, benchmarks and site-local addresses.
var nonPublicRanges = parsePrefixes("100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "fec0::/10")

// thisNetwork reaches the machine itself on some systems.
var thisNetwork = netip.MustParsePrefix("0.0.0.0/8")

// broadcast is the address of all machines of a network.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// translations are the prefixes under which an IPv4 address is reached over IPv6, and the
// byte at which it begins: RFC 6052, RFC 8215, RFC 7915, 6to4 and addresses that are
// compatible with IPv4.
var translations = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
	{netip.MustParsePrefix("::/96"), 12},
}

// teredo has the address of a machine behind it in a form of its own.
var teredo = netip.MustParsePrefix("2001::/32")

// prefixes parses ranges of addresses.
func parsePrefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, each := range list {
		out = append(out, netip.MustParsePrefix(each))
	}
	return out
}

// isInAny reports whether an address is in one of several ranges.
func isInAny(list []netip.Prefix, addr netip.Addr) bool {
	for _, prefix := range list {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// CheckAddress returns an error of type Refused for an address to which no connection is
// made. An address that is translated must be a public one, whatever the policy allows.
func (p Policy) CheckAddress(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()
	if addr.IsUnspecified() {
		return Refused("unspecified")
	}
	if addr == netip.IPv6Loopback() {
		return p.checkKind(addr)
	}
	if teredo.Contains(addr) {
		return Refused("translated")
	}
	for _, translation := range translations {
		if translation.prefix.Contains(addr) {
			raw := addr.As16()
			return Policy{}.checkKind(netip.AddrFrom4([4]byte(raw[translation.at:])))
		}
	}
	return p.checkKind(addr)
}

func (p Policy) checkKind(addr netip.Addr) error {
	switch {
	case thisNetwork.Contains(addr):
		return Refused("unspecified")
	case addr.IsLinkLocalUnicast():
		return Refused("link-local")
	case addr.IsMulticast() || addr == broadcast:
		return Refused("multicast or broadcast")
	case isInAny(metadata, addr):
		return Refused("the metadata service of a cloud")
	case addr.IsLoopback() && !p.Loopback:
		return loopback
	case (addr.IsPrivate() || isInAny(nonPublicRanges, addr)) && !p.Private:
		return private
	}
	return nil
}

// Control is for net.Dialer: it checks the address itself, when the connection is made.
func (p Policy) Control(_, address string, _ syscall.RawConn) error {
	port, err := netip.ParseAddrPort(address)
	if err != nil {
		return Refused("no IP address")
	}
	return p.CheckAddress(port.Addr())
}
