package netguard

import (
	"net/netip"
	"net/url"
	"testing"

	. "github.com/onsi/gomega"
)

// Policies of tenants, of markets and of local runs.
var (
	tenants = Policy{}
	market  = Policy{Private: true}
	local   = Policy{Loopback: true}
)

// addresses are written as in a URL, with the policies that allow them.
var addresses = []struct {
	why                    string
	address                string
	tenants, market, local bool
}{
	{"a public address", "93.184.216.34", true, true, true},
	{"a public address in IPv6", "2606:2800:220:1::1", true, true, true},

	{"a service in the cluster", "10.96.0.10", false, true, false},
	{"a machine in a home network", "192.168.1.1", false, true, false},
	{"the network of a container engine", "172.17.0.1", false, true, false},
	{"a unique local address", "fd00::1", false, true, false},
	{"a shared address", "100.64.0.1", false, true, false},
	{"the address after the metadata of Alibaba", "100.100.100.201", false, true, false},
	{"a site-local address", "fec0::1", false, true, false},
	{"a reserved address, used for pods in some clusters", "240.0.0.1", false, true, false},
	{"a benchmark", "198.18.0.1", false, true, false},
	{"a private address, mapped into IPv6", "::ffff:10.0.0.1", false, true, false},

	{"loopback", "127.0.0.1", false, false, true},
	{"another loopback address", "127.8.8.8", false, false, true},
	{"loopback in IPv6", "::1", false, false, true},
	{"loopback, mapped into IPv6", "::ffff:127.0.0.1", false, false, true},

	{"the metadata service", "169.254.169.254", false, false, false},
	{"the same, mapped into IPv6", "::ffff:169.254.169.254", false, false, false},
	{"the same, translated from IPv6", "64:ff9b::a9fe:a9fe", false, false, false},
	{"the same, translated with a local prefix", "64:ff9b:1:2::a9fe:a9fe", false, false, false},
	{"the same, by 6to4", "2002:a9fe:a9fe::1", false, false, false},
	{"the same, translated without state", "::ffff:0:a9fe:a9fe", false, false, false},
	{"the same, compatible with IPv4", "::a9fe:a9fe", false, false, false},
	{"loopback, translated", "64:ff9b::7f00:1", false, false, false},
	{"loopback, compatible with IPv4", "::7f00:1", false, false, false},
	{"a private address, translated", "64:ff9b::a00:1", false, false, false},
	{"a private address, by 6to4", "2002:a00:1::1", false, false, false},
	{"any address, by Teredo", "2001:0:5db8:d822::1", false, false, false},
	{"a public address, translated", "64:ff9b::5db8:d822", true, true, true},
	{"a public address, by 6to4", "2002:5db8:d822::1", true, true, true},

	{"link-local in IPv6", "fe80::1", false, false, false},
	{"the metadata of Amazon", "fd00:ec2::254", false, false, false},
	{"the pod credentials of Amazon", "fd00:ec2::23", false, false, false},
	{"the metadata of Google", "fd20:ce::254", false, false, false},
	{"the metadata of Alibaba", "100.100.100.200", false, false, false},
	{"the same, mapped into IPv6", "::ffff:100.100.100.200", false, false, false},
	{"the agent of Azure", "168.63.129.16", false, false, false},
	{"unspecified, which is loopback to Linux", "0.0.0.0", false, false, false},
	{"the network of the machine itself", "0.1.2.3", false, false, false},
	{"unspecified in IPv6", "::", false, false, false},
	{"multicast", "224.0.0.1", false, false, false},
	{"multicast in IPv6", "ff02::1", false, false, false},
	{"broadcast", "255.255.255.255", false, false, false},
}

func TestAddresses(t *testing.T) {
	for _, c := range addresses {
		for name, p := range map[string]struct {
			policy  Policy
			allowed bool
		}{"tenants": {tenants, c.tenants}, "market": {market, c.market}, "local": {local, c.local}} {
			t.Run(c.why+" for "+name, func(t *testing.T) {
				g := NewWithT(t)
				addr := netip.MustParseAddr(c.address)
				host := netip.AddrPortFrom(addr, 80).String()
				g.Expect(p.policy.CheckAddress(addr) == nil).To(Equal(p.allowed))
				g.Expect(p.policy.Control("tcp", host, nil) == nil).To(Equal(p.allowed))
				g.Expect(p.policy.CheckURL(&url.URL{Scheme: "http", Host: host}) == nil).To(Equal(p.allowed))
			})
		}
	}
}

func TestControlRejectsInvalidAddresses(t *testing.T) {
	g := NewWithT(t)
	g.Expect(market.Control("tcp", "[fe80::1%eth0]:80", nil)).To(MatchError(ContainSubstring("link-local")))
	g.Expect(market.Control("tcp", "localhost:80", nil)).To(MatchError(ContainSubstring("not an IP address")), "a dialer passes addresses only")
}

// TestHostNames checks forms of 169.254.169.254 that some programs accept, and private names,
// which a proxy or a search list of the resolver could resolve.
func TestHostNames(t *testing.T) {
	for host, want := range map[string]struct{ tenants, market, local bool }{
		"charts.example.com": {true, true, true}, "charts.example.com.": {true, true, true}, "1.charts.example": {true, true, true},
		"example.0xyz": {true, true, true}, "svc.example": {true, true, true}, "localhost.example": {true, true, true},

		"registry": {false, true, false}, "x2": {false, true, false}, "consul.team.svc": {false, true, false},
		"consul.team.svc.cluster.local": {false, true, false}, "CONSUL.TEAM.SVC": {false, true, false}, "printer.local.": {false, true, false},
		"db.internal": {false, true, false}, "nas.home.arpa": {false, true, false},

		"localhost": {false, false, true}, "LOCALHOST.": {false, false, true}, "x.localhost": {false, false, true},

		"2852039166": {}, "0xa9fea9fe": {}, "0XA9FEA9FE": {}, "169.254.43518": {}, "0251.0376.0251.0376": {},
		"169.254.169.254.": {}, "169.254.0xa9fe": {}, "0x": {}, "metadata.google.internal": {}, "Metadata.Google.Internal.": {},
	} {
		t.Run(host, func(t *testing.T) {
			g := NewWithT(t)
			for _, c := range []struct {
				policy  Policy
				allowed bool
			}{{tenants, want.tenants}, {market, want.market}, {local, want.local}} {
				g.Expect(c.policy.CheckURL(&url.URL{Scheme: "http", Host: host}) == nil).To(Equal(c.allowed), "%+v", c.policy)
			}
		})
	}
}
