package source

import (
	"net/url"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	. "github.com/onsi/gomega"
)

func TestTokenServerOfARegistry(t *testing.T) {
	for _, c := range []struct {
		registry, server string
		want             bool
	}{
		{"registry.example.com", "https://registry.example.com/token", true},
		{"registry.example.com:5000", "https://registry.example.com:5000/token", true},
		{"registry.example.com:5000", "https://auth.example.com/token", true},
		{"registry.example.com", "https://example.com.attacker.net/token", false},
		{"registry.example.com", "https://notexample.com/token", false},
		{"team.github.io", "https://attacker.github.io/token", false},
		{"10.5.0.1:5000", "https://10.5.0.1:5000/token", true},
		{"10.5.0.1:5000", "https://192.168.0.1/token", false},
		{"10.5.0.1:5000", "https://10.5.0.1/token", false},
		{"[::1]:5000", "https://[::2]:5000/token", false},
	} {
		t.Run(c.registry+" and "+c.server, func(t *testing.T) {
			g := NewWithT(t)
			registry, err := name.NewRegistry(c.registry)
			g.Expect(err).NotTo(HaveOccurred())
			server, err := url.Parse(c.server)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect((&registryTransport{registry: registry}).isOwnServer(server)).To(Equal(c.want))
		})
	}
}
