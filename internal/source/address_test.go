package source

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestCheckAddress(t *testing.T) {
	for _, test := range []struct {
		why     string
		address string
		allowed bool
	}{
		{"a public address", "93.184.216.34:443", true},
		{"a service in the cluster", "10.96.0.10:80", true},
		{"loopback", "127.0.0.1:8080", true},
		{"loopback in IPv6", "[::1]:8080", true},
		{"a unique local address", "[fd00::1]:80", true},
		{"the metadata of a machine", "169.254.169.254:80", false},
		{"the same, mapped into IPv6", "[::ffff:169.254.169.254]:80", false},
		{"the same, translated from IPv6", "[64:ff9b::a9fe:a9fe]:80", false},
		{"a public address, translated", "[64:ff9b::5db8:d822]:80", true},
		{"link-local in IPv6, with its zone", "[fe80::1%eth0]:80", false},
		{"the metadata of one cloud", "[fd00:ec2::254]:80", false},
		{"unspecified, which is loopback to Linux", "0.0.0.0:80", false},
		{"unspecified in IPv6", "[::]:80", false},
		{"multicast", "224.0.0.1:80", false},
		{"multicast in IPv6", "[ff02::1]:80", false},
		{"broadcast", "255.255.255.255:80", false},
		{"a name, which a dialer never gives", "localhost:80", false},
	} {
		t.Run(test.why, func(t *testing.T) {
			NewWithT(t).Expect(checkAddress("tcp", test.address, nil) == nil).To(Equal(test.allowed))
		})
	}
}
