package registry

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestAddressesThatMayBeConnectedTo(t *testing.T) {
	cases := []struct {
		why, address string
		allowed      bool
	}{
		{"a public address", "203.0.113.7:443", true},
		{"a private address: clusters have registries of their own", "10.1.2.3:5000", true},
		{"the machine itself: so do laptops", "127.0.0.1:5000", true},
		{"an address of IPv6", "[2001:db8::1]:443", true},
		{"the metadata service of most clouds", "169.254.169.254:80", false},
		{"the same mapped into IPv6", "[::ffff:169.254.169.254]:80", false},
		{"the same through NAT64", "[64:ff9b::a9fe:a9fe]:80", false},
		{"the same in the one cloud that gives it an address of its own", "[fd00:ec2::254]:80", false},
		{"link-local IPv6 with a zone", "[fe80::1%eth0]:80", false},
		{"no address of IPv4", "0.0.0.0:80", false},
		{"no address of IPv6", "[::]:80", false},
		{"many machines", "224.0.0.1:80", false},
		{"many machines of IPv6", "[ff02::1]:80", false},
		{"not an address", "example:80", false},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(controlAddress("tcp", c.address, nil) == nil).To(Equal(c.allowed))
		})
	}
}

func TestPlainHTTPIsSpokenWhereItWasAllowed(t *testing.T) {
	known, err := newPlaces(map[string]string{"docker.io": "http://mirror.example:5000/hub"}, []string{"plain.example"})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	cases := []struct {
		why, host, asked string
		plain            bool
	}{
		{"a registry that is listed", "plain.example", "plain.example", true},
		{"another port of it", "plain.example:81", "plain.example", false},
		{"a mirror whose URL says http", "mirror.example:5000", "mirror.example:5000", true},
		{"the machine itself", "127.0.0.1:5000", "127.0.0.1:5000", true},
		{"the machine itself by name", "localhost:5000", "localhost:5000", true},
		{"the machine itself in IPv6", "[::1]:5000", "[::1]:5000", true},
		{"a registry elsewhere that points to the machine itself", "127.0.0.1:8080", "registry.example", false},
		{"a private address that is not listed", "10.0.0.1:5000", "10.0.0.1:5000", false},
		{"any other", "registry.example", "registry.example", false},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(known.speaksPlain(c.host, c.asked)).To(Equal(c.plain))
		})
	}
}
