package source

import (
	"net/netip"
	"syscall"
)

// addressError says which kind of address a connection was refused to.
type addressError string

func (e addressError) Error() string {
	return "the URL leads to an address that is " + string(e) + ", to which the operator makes no connection: use another host"
}

// metadataV6 is where one large cloud keeps the credentials of a machine outside
// of the link-local range.
var metadataV6 = netip.MustParseAddr("fd00:ec2::254")

// translated is the prefix under which networks without IPv4 reach it (RFC 6052).
var translated = netip.MustParsePrefix("64:ff9b::/96")

// checkAddress is a net.Dialer's Control. It sees the address itself, when the
// connection is made: after every redirect, and after a name was resolved, so
// that no answer of a name server leads around it. Loopback and private addresses
// are allowed, since repositories live there.
func checkAddress(_, address string, _ syscall.RawConn) error {
	port, err := netip.ParseAddrPort(address)
	if err != nil {
		return addressError("no IP address")
	}
	addr := port.Addr().Unmap().WithZone("")
	if translated.Contains(addr) {
		raw := addr.As16()
		addr = netip.AddrFrom4([4]byte(raw[12:]))
	}
	switch {
	case addr.IsUnspecified():
		return addressError("unspecified")
	case addr.IsLinkLocalUnicast() || addr == metadataV6:
		return addressError("link-local")
	case addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return addressError("multicast or broadcast")
	}
	return nil
}
