package netguard_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/netguard"
)

// addresses are written as in a URL.
var addresses = []struct {
	why     string
	address string
	allowed bool
}{
	{"a public address", "93.184.216.34", true},
	{"a service in the cluster", "10.96.0.10", true},
	{"loopback", "127.0.0.1", true},
	{"loopback in IPv6", "::1", true},
	{"a unique local address", "fd00::1", true},
	{"the metadata of a machine", "169.254.169.254", false},
	{"the same, mapped into IPv6", "::ffff:169.254.169.254", false},
	{"the same, translated from IPv6", "64:ff9b::a9fe:a9fe", false},
	{"the same, translated in a network of one's own", "64:ff9b:1:2::a9fe:a9fe", false},
	{"the same, by 6to4", "2002:a9fe:a9fe::1", false},
	{"a public address, translated", "64:ff9b::5db8:d822", true},
	{"a public address, by 6to4", "2002:5db8:d822::1", true},
	{"link-local in IPv6", "fe80::1", false},
	{"the metadata of Amazon", "fd00:ec2::254", false},
	{"the credentials of pods of Amazon", "fd00:ec2::23", false},
	{"the metadata of Google", "fd20:ce::254", false},
	{"the metadata of Alibaba", "100.100.100.200", false},
	{"its neighbor in the shared range", "100.100.100.201", true},
	{"the same, mapped into IPv6", "::ffff:100.100.100.200", false},
	{"the agent of Azure", "168.63.129.16", false},
	{"unspecified, which is loopback to Linux", "0.0.0.0", false},
	{"unspecified in IPv6", "::", false},
	{"multicast", "224.0.0.1", false},
	{"multicast in IPv6", "ff02::1", false},
	{"broadcast", "255.255.255.255", false},
}

func TestAddresses(t *testing.T) {
	for _, c := range addresses {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			addr := netip.MustParseAddr(c.address)
			g.Expect(netguard.CheckAddress(addr) == nil).To(Equal(c.allowed))
			g.Expect(netguard.Control("tcp", netip.AddrPortFrom(addr, 80).String(), nil) == nil).To(Equal(c.allowed))
			host := netip.AddrPortFrom(addr, 80).String()
			g.Expect(netguard.CheckURL(&url.URL{Scheme: "http", Host: host}) == nil).To(Equal(c.allowed))
		})
	}
}

func TestControlRefusesWhatItCannotRead(t *testing.T) {
	g := NewWithT(t)
	g.Expect(netguard.Control("tcp", "[fe80::1%eth0]:80", nil)).To(MatchError(ContainSubstring("link-local")))
	g.Expect(netguard.Control("tcp", "localhost:80", nil)).To(MatchError(ContainSubstring("no IP address")), "a dialer never gives a name")
}

// TestHostsThatAreNumbers has forms of 169.254.169.254 that some programs understand. What
// a proxy does is not known.
func TestHostsThatAreNumbers(t *testing.T) {
	for host, allowed := range map[string]bool{
		"2852039166": false, "0xa9fea9fe": false, "0XA9FEA9FE": false, "169.254.43518": false, "0251.0376.0251.0376": false,
		"169.254.169.254.": false, "169.254.0xa9fe": false, "0x": false, "charts.example.com": true, "charts.example.com.": true,
		"registry": true, "1.charts.example": true, "example.0xyz": true, "x2": true, "": true,
	} {
		t.Run(host, func(t *testing.T) {
			NewWithT(t).Expect(netguard.CheckURL(&url.URL{Scheme: "http", Host: host}) == nil).To(Equal(allowed))
		})
	}
}

// TestHostsAreCheckedBeforeAProxyIsAsked has a proxy that would connect to anything, and a
// server that redirects to an address that is refused.
func TestHostsAreCheckedBeforeAProxyIsAsked(t *testing.T) {
	g := NewWithT(t)
	asked := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.URL.Host == "redirects.example" {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		}
	}))
	defer proxy.Close()
	through, err := url.Parse(proxy.URL)
	g.Expect(err).NotTo(HaveOccurred())
	client := &http.Client{Transport: &http.Transport{Proxy: func(r *http.Request) (*url.URL, error) {
		if _, err := netguard.Proxy(r); err != nil {
			return nil, err
		}
		return through, nil
	}}}
	get := func(url string) error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		g.Expect(err).NotTo(HaveOccurred())
		response, err := client.Do(request)
		if err == nil {
			err = response.Body.Close()
		}
		return err
	}
	g.Expect(get("http://charts.example/index.yaml")).To(Succeed())
	g.Expect(asked).To(Equal(1))
	for _, url := range []string{"http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://2852039166/"} {
		_, isRefused := errors.AsType[netguard.Refused](get(url))
		g.Expect(isRefused).To(BeTrue(), url)
	}
	g.Expect(asked).To(Equal(1), "the proxy was not asked")
	g.Expect(get("http://redirects.example/")).To(MatchError(ContainSubstring("link-local")))
	g.Expect(asked).To(Equal(2))
}
