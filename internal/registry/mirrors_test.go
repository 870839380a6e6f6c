package registry

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestPlainHTTPIsSpokenWhereItWasAllowed(t *testing.T) {
	known, err := newEndpointResolver(map[string]string{"docker.io": "http://mirror.example:5000/hub"}, []string{"plain.example"})
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
			NewWithT(t).Expect(known.allowsPlainHTTP(c.host, c.asked)).To(Equal(c.plain))
		})
	}
}
