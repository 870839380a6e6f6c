package netguard_test

import (
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/netguard"
)

func TestCredentialsAreForOneSite(t *testing.T) {
	for _, c := range []struct {
		registry, server string
		want             bool
	}{
		{"index.docker.io", "https://auth.docker.io/token", true},
		{"registry.gitlab.com", "https://gitlab.com/jwt/auth", true},
		{"team.azurecr.io", "https://team.azurecr.io/oauth2/token", true},
		{"registry.example.com", "https://registry.example.com/token", true},
		{"registry.example.com:5000", "https://registry.example.com:5000/token", true},
		{"registry.example.com:5000", "https://auth.example.com/token", true},
		{"Registry.Example.com", "https://auth.example.COM/token", true},
		{"registry.example.com", "https://example.com.attacker.net/token", false},
		{"registry.example.com", "https://notexample.com/token", false},
		{"registry.example.co.uk", "https://attacker.co.uk/token", false},
		{"team.github.io", "https://attacker.github.io/token", false},
		{"co.uk", "https://attacker.co.uk/token", false},
		{"registry.team.svc.cluster.local:5000", "https://registry.team.svc.cluster.local:8443/token", true},
		{"registry.team.svc.cluster.local", "https://attacker.other.svc.cluster.local/token", false},
		{"registry.team.svc", "https://attacker.team.svc/token", false},
		{"registry", "https://attacker.registry/token", false},
		{"10.5.0.1:5000", "https://10.5.0.1:5000/token", true},
		{"10.5.0.1:5000", "https://192.168.0.1/token", false},
		{"10.5.0.1:5000", "https://10.5.0.1/token", false},
		{"[::1]:5000", "https://[::2]:5000/token", false},
	} {
		t.Run(c.registry+" and "+c.server, func(t *testing.T) {
			g := NewWithT(t)
			request := func(body string) *http.Request {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.server, strings.NewReader(body))
				g.Expect(err).NotTo(HaveOccurred())
				return request
			}
			g.Expect(netguard.CheckCredentials(request(""), c.registry)).To(Succeed(), "without credentials")
			withHeader := request("")
			withHeader.Header.Set("Authorization", "Basic dXNlcjpwYXNzd29yZA==")
			for _, each := range []*http.Request{withHeader, request("refresh_token=x")} {
				if err := netguard.CheckCredentials(each, c.registry); c.want {
					g.Expect(err).NotTo(HaveOccurred())
				} else {
					g.Expect(err).To(MatchError(netguard.ErrTokenServer))
				}
			}
		})
	}
}

func TestLoopbackHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "web.localhost": true, "127.0.0.1": true, "127.1.2.3:80": true, "::1": true, "[::1]": true, "[::1]:80": true,
		"::ffff:127.0.0.1": true, "": false, ":80": false, "0.0.0.0:80": false, "notlocalhost": false, "127.0.0.1.example.com": false, "10.0.0.1": false,
	} {
		NewWithT(t).Expect(netguard.IsLoopback(host)).To(Equal(want), host)
	}
}
