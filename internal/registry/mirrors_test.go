package registry

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestPlainHTTPIsUsedIfAllowed(t *testing.T) {
	known, err := newEndpointResolver(map[string]string{"docker.io": "http://mirror.example:5000/hub"}, []string{"plain.example"})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	cases := []struct {
		why, host, asked string
		plain            bool
	}{
		{"a registry that is listed", "plain.example", "plain.example", true},
		{"another port of the registry", "plain.example:81", "plain.example", false},
		{"a mirror with an http URL", "mirror.example:5000", "mirror.example:5000", true},
		{"loopback", "127.0.0.1:5000", "127.0.0.1:5000", true},
		{"loopback by name", "localhost:5000", "localhost:5000", true},
		{"loopback in IPv6", "[::1]:5000", "[::1]:5000", true},
		{"a remote registry that redirects to loopback", "127.0.0.1:8080", "registry.example", false},
		{"a private address that is not listed", "10.0.0.1:5000", "10.0.0.1:5000", false},
		{"any other", "registry.example", "registry.example", false},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(known.allowsPlainHTTP(c.host, c.asked)).To(Equal(c.plain))
		})
	}
}
