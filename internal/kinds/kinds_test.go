package kinds_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	apidiscovery "k8s.io/api/apidiscovery/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/internal/kinds"
)

var gadgetKind = schema.GroupKind{Group: "example.org", Kind: "Gadget"}

// discoveryServer serves discovery documents as an API server does.
type discoveryServer struct {
	mu       sync.Mutex
	kinds    []string
	stale    bool
	tagless  bool
	requests map[int]int
}

func (a *discoveryServer) setKinds(kinds ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kinds = kinds
}

// takeCount returns the number of responses with a status since the last call.
func (a *discoveryServer) takeCount(status int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	count := a.requests[status]
	a.requests = map[int]int{}
	return count
}

func (a *discoveryServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := apidiscovery.APIGroupDiscoveryList{TypeMeta: metav1.TypeMeta{APIVersion: "apidiscovery.k8s.io/v2", Kind: "APIGroupDiscoveryList"}}
	if r.URL.Path == "/apis" {
		version := apidiscovery.APIVersionDiscovery{Version: "v1", Freshness: apidiscovery.DiscoveryFreshnessCurrent}
		if a.stale {
			version.Freshness = apidiscovery.DiscoveryFreshnessStale
		}
		for _, kind := range a.kinds {
			version.Resources = append(version.Resources, apidiscovery.APIResourceDiscovery{
				Resource: kind + "s", Scope: apidiscovery.ScopeNamespace, Verbs: []string{"get"},
				ResponseKind: &metav1.GroupVersionKind{Group: gadgetKind.Group, Version: "v1", Kind: kind},
			})
		}
		list.Items = []apidiscovery.APIGroupDiscovery{{
			ObjectMeta: metav1.ObjectMeta{Name: gadgetKind.Group}, Versions: []apidiscovery.APIVersionDiscovery{version},
		}}
	}
	if r.URL.Path == "/api" {
		list.Items = []apidiscovery.APIGroupDiscovery{{Versions: []apidiscovery.APIVersionDiscovery{{
			Version: "v1", Freshness: apidiscovery.DiscoveryFreshnessCurrent,
			Resources: []apidiscovery.APIResourceDiscovery{{
				Resource: "pods", Scope: apidiscovery.ScopeNamespace, Verbs: []string{"get"},
				ResponseKind: &metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			}},
		}}}}
	}
	tag := fmt.Sprintf("%q", fmt.Sprint(r.URL.Path, a.kinds, a.stale))
	if !a.tagless {
		w.Header().Set("ETag", tag)
	}
	if !a.tagless && r.Header.Get("If-None-Match") == tag {
		a.requests[http.StatusNotModified]++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	a.requests[http.StatusOK]++
	w.Header().Set("Content-Type", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
	_ = json.NewEncoder(w).Encode(list)
}

func startServer(t *testing.T) (*discoveryServer, *kinds.Kinds) {
	t.Helper()
	server := &discoveryServer{requests: map[int]int{}}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	known, err := kinds.New(&rest.Config{Host: web.URL, QPS: -1})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return server, known
}

func TestKindsAreAddedAndRemoved(t *testing.T) {
	g := NewWithT(t)
	server, known := startServer(t)
	server.setKinds("Widget")
	g.Expect(known.Refresh(t.Context(), 0)).To(Succeed())

	server.setKinds("Widget", "Gadget")
	g.Expect(known.Refresh(t.Context(), 0)).To(Succeed())
	mapping, err := known.RESTMapping(gadgetKind)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(mapping.Resource.Resource).To(Equal("Gadgets"))

	server.setKinds("Widget")
	_, err = known.RESTMapping(gadgetKind)
	g.Expect(err).NotTo(HaveOccurred(), "the kinds were not refreshed")
	known.Reset()
	_, err = known.RESTMapping(gadgetKind)
	g.Expect(meta.IsNoMatchError(err)).To(BeTrue(), "a kind that is not served any more is removed")

	server.setKinds("Gadget")
	known.Reset()
	_, err = known.RESTMapping(gadgetKind, "v1")
	g.Expect(err).NotTo(HaveOccurred(), "a kind that is served again is found")
}

func TestRefreshWithoutChangesMakesTwoConditionalRequests(t *testing.T) {
	g := NewWithT(t)
	server, known := startServer(t)
	server.setKinds("Gadget")
	g.Expect(known.Refresh(t.Context(), 0)).To(Succeed())
	server.takeCount(0)
	g.Expect(known.Refresh(t.Context(), 0)).To(Succeed())
	_, err := known.RESTMapping(gadgetKind)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = known.Discovery(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(server.takeCount(http.StatusOK)).To(BeZero())
	g.Expect(known.Refresh(t.Context(), 0)).To(Succeed())
	g.Expect(server.takeCount(http.StatusNotModified)).To(Equal(2))

	for i := range 100 {
		_, err := known.RESTMapping(schema.GroupKind{Group: "none", Kind: fmt.Sprint(i)})
		g.Expect(meta.IsNoMatchError(err)).To(BeTrue())
	}
	g.Expect(server.takeCount(http.StatusNotModified)).To(BeNumerically("<", 100), "not every lookup of a missing kind makes a request")
}

func TestUnavailableGroupIsNotAMissingKind(t *testing.T) {
	g := NewWithT(t)
	server, known := startServer(t)
	server.stale = true
	_, err := known.RESTMapping(gadgetKind)
	g.Expect(err).To(MatchError(ContainSubstring("the API server of example.org/v1 does not respond")))
	g.Expect(meta.IsNoMatchError(err)).To(BeFalse())
}

func TestAPIServerWithoutTags(t *testing.T) {
	g := NewWithT(t)
	server, known := startServer(t)
	server.tagless = true
	server.setKinds("Widget")
	g.Expect(known.Refresh(t.Context(), 0)).To(Succeed())
	server.setKinds("Gadget")
	known.Reset()
	_, err := known.RESTMapping(gadgetKind)
	g.Expect(err).NotTo(HaveOccurred())
}
