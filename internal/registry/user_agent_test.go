package registry_test

import (
	"net/http"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/registry"
)

func TestRegistriesSeeTheUserAgent(t *testing.T) {
	g := NewWithT(t)
	stored := newRegistryServer(t)
	pushImage(t, stored, "hello:1", newImage(t, v1.Platform{OS: "linux", Architecture: "amd64"}, 1))
	var mutex sync.Mutex
	var seen []string
	server := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		seen = append(seen, r.UserAgent())
		mutex.Unlock()
		stored.Config.Handler.ServeHTTP(w, r)
	}))
	client := newClient(t, server, func(o *registry.Options) { o.UserAgent = "market/1" })
	_, err := client.Inspect(t.Context(), host+"/hello:1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen).NotTo(BeEmpty())
	g.Expect(seen).To(HaveEach(HavePrefix("market/1")))
}
