package session

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		why, peer string
		forwarded []string
		want      string
	}{
		{"no proxy", "192.0.2.1:1000", nil, "192.0.2.1"},
		{"an untrusted peer with a header", "192.0.2.1:1000", []string{"198.51.100.7"}, "192.0.2.1"},
		{"a proxy", "10.0.0.1:1000", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a proxy with IPv6", "[fd00::1]:1000", []string{"2001:db8::7"}, "2001:db8::7"},
		{"an address of IPv4 in one of IPv6", "[::ffff:10.0.0.1]:1000", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"an address that the client has sent", "10.0.0.1:1000", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{"a trusted address that the client has sent", "10.0.0.1:1000", []string{"10.9.9.9,198.51.100.7"}, "198.51.100.7"},
		{"two proxies", "10.0.0.1:1000", []string{"203.0.113.9, 198.51.100.7 ,10.0.0.2"}, "198.51.100.7"},
		{"two headers", "10.0.0.1:1000", []string{"203.0.113.9, 198.51.100.7", "10.0.0.2"}, "198.51.100.7"},
		{"no client", "10.0.0.1:1000", nil, "10.0.0.1"},
		{"proxies only", "10.0.0.1:1000", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		{"no address", "10.0.0.1:1000", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		{"an empty item", "10.0.0.1:1000", []string{"198.51.100.7,"}, "10.0.0.1"},
		{"a port", "10.0.0.1:1000", []string{"198.51.100.7:80"}, "10.0.0.1"},
		{"more proxies than a request has", "10.0.0.1:1000", []string{"198.51.100.7" + strings.Repeat(",10.0.0.2", 100)}, "10.0.0.2"},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.peer
			for _, value := range c.forwarded {
				r.Header.Add("X-Forwarded-For", value)
			}
			NewWithT(t).Expect(ClientAddress(r, trusted).String()).To(Equal(c.want))
		})
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "@"
	r.Header.Set("X-Forwarded-For", "198.51.100.7")
	NewWithT(t).Expect(ClientAddress(r, trusted).IsValid()).To(BeFalse())
}
