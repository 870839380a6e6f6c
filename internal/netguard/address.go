package netguard

import (
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// Refused is the error for an address that must not be connected to: the kind of the address.
type Refused string

// Kinds of addresses that a Policy can allow.
const (
	loopback Refused = "loopback"
	private  Refused = "private"
)

func (r Refused) Error() string {
	text := "address not allowed (" + string(r) + "): use another host"
	if r == private {
		text += ", or ask the cluster administrator to add the namespace to --market-namespaces"
	}
	return text
}

// Policy specifies the addresses that connections are allowed to. The zero value allows
// public addresses.
type Policy struct {
	// Loopback allows loopback addresses.
	Loopback bool
	// Private allows the ranges that are not routed in the internet: RFC 1918, RFC 6598,
	// unique local addresses and reserved ranges.
	Private bool
}

// metadata are addresses outside of the link-local ranges at which clouds provide credentials
// of machines and pods: the addresses of Amazon, Google, Alibaba and Azure.
var metadata = parsePrefixes("fd00:ec2::/32", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32")

// nonPublicRanges are ranges that are not routed in the internet, in addition to the ranges
// that netip knows: shared and reserved ranges, protocol assignments, benchmarks and
// site-local addresses.
var nonPublicRanges = parsePrefixes("100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "fec0::/10")

// thisNetwork is a loopback range on some systems.
var thisNetwork = netip.MustParsePrefix("0.0.0.0/8")

// broadcast is the broadcast address.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// translations are the prefixes for IPv4 addresses in IPv6, with the offset of the IPv4
// address: RFC 6052, RFC 8215, RFC 7915, 6to4 and IPv4-compatible addresses.
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

// teredo is the range of addresses that contain an IPv4 address in obfuscated form.
var teredo = netip.MustParsePrefix("2001::/32")

// parsePrefixes parses ranges of addresses.
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

// CheckAddress returns an error of type Refused for an address that must not be connected to.
// A translated address must be public, even if the policy allows more.
func (p Policy) CheckAddress(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()
	if addr.IsUnspecified() {
		return Refused("unspecified")
	}
	if addr == netip.IPv6Loopback() {
		return p.checkKind(addr)
	}
	if teredo.Contains(addr) {
		return Refused("translated IPv4")
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
		return Refused("cloud metadata service")
	case addr.IsLoopback() && !p.Loopback:
		return loopback
	case (addr.IsPrivate() || isInAny(nonPublicRanges, addr)) && !p.Private:
		return private
	}
	return nil
}

// Control implements Control of net.Dialer: it checks the address when a connection is
// opened.
func (p Policy) Control(_, address string, _ syscall.RawConn) error {
	port, err := netip.ParseAddrPort(address)
	if err != nil {
		return Refused("not an IP address")
	}
	return p.CheckAddress(port.Addr())
}

// IsLoopback reports whether a host is this machine, by its name or address. The host can have a port.
func IsLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(name)
	return err == nil && address.Unmap().IsLoopback()
}
