package registry_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/registry"
)

// TestRegistriesAreAccessedIfThePolicyAllows checks images of registries on the loopback
// interface, in a private network and in the cluster, and registries that redirect there.
func TestRegistriesAreAccessedIfThePolicyAllows(t *testing.T) {
	var asked atomic.Int32
	inside := newServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	at := strings.TrimPrefix(inside.URL, "http://")
	for why, c := range map[string]struct {
		policy netguard.Policy
		image  string
	}{
		"loopback":                 {netguard.Policy{}, at + "/web:1"},
		"loopback, for a market":   {netguard.Policy{Private: true}, at + "/web:1"},
		"a private address":        {netguard.Policy{Loopback: true}, "10.0.0.1:1/web:1"},
		"a shared address":         {netguard.Policy{Loopback: true}, "100.64.0.1:1/web:1"},
		"a service of the cluster": {netguard.Policy{Loopback: true}, "registry.team.svc:1/web:1"},
		"the metadata of a cloud":  {netguard.Policy{Loopback: true, Private: true}, "168.63.129.16:1/web:1"},
	} {
		t.Run(why, func(t *testing.T) {
			client, err := registry.New(registry.Options{Network: c.policy})
			g := NewWithT(t)
			g.Expect(err).NotTo(HaveOccurred())
			_, err = client.Inspect(t.Context(), c.image)
			g.Expect(err).To(MatchError(registry.ErrUnusableResponse))
			g.Expect(err).To(MatchError(HaveSuffix("address is not allowed")))
		})
	}
	for why, answer := range map[string]http.HandlerFunc{
		"a redirect":    serveManifests(serveRedirect(inside.URL + "/v2/web/manifests/1")),
		"a token realm": serveChallenge(inside.URL + "/token"),
	} {
		t.Run(why, func(t *testing.T) {
			// The registry itself is trusted by the configuration.
			_, err := newClient(t, newServer(t, answer)).Inspect(t.Context(), host+"/web:1")
			expectUnavailable(NewWithT(t), err, registry.ErrUnusableResponse)
		})
	}
	NewWithT(t).Expect(asked.Load()).To(BeZero(), "no connection is opened")
}

func TestConfiguredRegistriesCanBePrivate(t *testing.T) {
	g := NewWithT(t)
	server := newServer(t, http.NotFoundHandler())
	at := strings.TrimPrefix(server.URL, "http://")
	for _, options := range []registry.Options{
		{PlainHTTP: []string{at}}, {Mirrors: map[string]string{"docker.io": server.URL}},
	} {
		client, err := registry.New(options)
		g.Expect(err).NotTo(HaveOccurred())
		image := "web:1"
		if options.Mirrors == nil {
			image = at + "/web:1"
		}
		_, err = client.Inspect(t.Context(), image)
		g.Expect(err).To(MatchError(Not(ContainSubstring("not allowed"))))
	}
}

func TestRedirectsOfRegistriesAreLimited(t *testing.T) {
	g := NewWithT(t)
	var asked atomic.Int32
	server := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	}))
	_, err := newClient(t, server).Inspect(t.Context(), host+"/web:1")
	expectUnavailable(g, err, registry.ErrUnusableResponse)
	g.Expect(asked.Load()).To(BeNumerically("<=", 2*(netguard.MaxRedirects+1)))
}

func TestRetryAfterOfRegistriesIsRespected(t *testing.T) {
	for after, want := range map[string]int32{"120": 1, "": 2, "0": 2, "soon": 2} {
		t.Run(after, func(t *testing.T) {
			var asked atomic.Int32
			server := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/" {
					asked.Add(1)
					w.Header().Set("Retry-After", after)
					w.WriteHeader(http.StatusTooManyRequests)
				}
			}))
			asks := registry.Guarded(newClient(t, server), 1)
			for range 2 {
				_, err := asks.Inspect(t.Context(), host+"/web:1")
				expectUnavailable(NewWithT(t), err, registry.ErrRateLimited)
			}
			NewWithT(t).Expect(asked.Load()).To(Equal(want))
		})
	}
}
