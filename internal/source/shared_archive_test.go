package source_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
)

// openOwned opens a chart server as the source of an owner that shares what it reads.
func (s *chartServer) openOwned(t *testing.T, shared *source.SharedListings, owner, token string) source.Source {
	t.Helper()
	opened, err := source.Open(source.Config{
		Helm: &source.HelmConfig{URL: s.URL, Token: token}, Network: netguard.Policy{Loopback: true}, Shared: shared, PublishedURL: "http://market.example/" + owner,
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return opened
}

// listOffer lists a source, and returns its only offer.
func listOffer(t *testing.T, from source.Source) hydrate.Offer {
	t.Helper()
	listing, err := from.List(t.Context(), hydrate.Cursor{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(listing.Apps).To(HaveLen(1))
	return listing.Apps[0].Offers[0]
}

// countFetches returns the number of requests for archives since the last call.
func (s *chartServer) countFetches() int {
	count := 0
	for _, request := range s.takeRequests() {
		if !strings.HasPrefix(request, "/index.yaml") {
			count++
		}
	}
	return count
}

func TestSourcesWithTheSameURLShareArchives(t *testing.T) {
	g := NewWithT(t)
	server, shared := startChartServer(t), &source.SharedListings{}
	archive := packedChart(t, "web", "1.0.0")
	server.add("web", "1.0.0", archive, "")
	sources := []source.Source{server.openOwned(t, shared, "a/main", "tk"), server.openOwned(t, shared, "b/main", "tk"), server.openOwned(t, shared, "c/main", "tk")}
	var offer hydrate.Offer
	for _, each := range sources {
		offer = listOffer(t, each)
	}
	server.takeRequests()
	var group errgroup.Group
	for _, each := range sources {
		group.Go(func() error {
			content, err := each.Fetch(t.Context(), offer)
			if err == nil && string(content.Archive) != string(archive) {
				err = errors.New("another archive")
			}
			return err
		})
	}
	g.Expect(group.Wait()).To(Succeed())
	g.Expect(server.countFetches()).To(Equal(1))

	_, err := sources[0].Fetch(t.Context(), offer)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(server.countFetches()).To(Equal(1), "a source that fetches the archive again reads the origin")
}

// TestArchivesAreNotShared has sources that must fetch an archive themselves after another source has fetched it.
func TestArchivesAreNotShared(t *testing.T) {
	for _, c := range []struct {
		why, owner, token string
		isListed          bool
	}{
		{why: "other credentials", owner: "b/main", token: "other", isListed: true},
		{why: "a source that was not listed", owner: "b/main", token: "tk"},
		{why: "the same source", owner: "a/main", token: "tk", isListed: true},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			server, shared := startChartServer(t), &source.SharedListings{}
			server.add("web", "1.0.0", packedChart(t, "web", "1.0.0"), "")
			first := server.openOwned(t, shared, "a/main", "tk")
			offer := listOffer(t, first)
			second := server.openOwned(t, shared, c.owner, c.token)
			if c.isListed {
				listOffer(t, second)
			}
			server.takeRequests()
			for _, each := range []source.Source{first, second} {
				_, err := each.Fetch(t.Context(), offer)
				g.Expect(err).NotTo(HaveOccurred())
			}
			g.Expect(server.countFetches()).To(Equal(2))
		})
	}
}

// TestWrongArchivesAreNotShared has an origin that sends another archive than it lists, and then fails.
func TestWrongArchivesAreNotShared(t *testing.T) {
	g := NewWithT(t)
	server, shared := startChartServer(t), &source.SharedListings{}
	server.add("web", "1.0.0", packedChart(t, "web", "1.0.0"), "")
	first, second := server.openOwned(t, shared, "a/main", "tk"), server.openOwned(t, shared, "b/main", "tk")
	offer := listOffer(t, first)
	listOffer(t, second)
	server.content["/web-1.0.0.tgz"] = packedChart(t, "web", "6.6.6")
	_, err := first.Fetch(t.Context(), offer)
	g.Expect(err).NotTo(HaveOccurred(), "hydration compares the digest")
	server.before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	_, err = second.Fetch(t.Context(), offer)
	expectOutcome(g, err, false, v1alpha1.ReasonUnauthorized)
}

// TestSharedArchivesAreBounded fetches more archives than are kept for another source.
func TestSharedArchivesAreBounded(t *testing.T) {
	g := NewWithT(t)
	server, shared := startChartServer(t), &source.SharedListings{}
	for i := range 5 {
		server.add(fmt.Sprint("web", i), "1.0.0", append([]byte{byte(i)}, make([]byte, 10<<20)...), "")
	}
	first, second := server.openOwned(t, shared, "a/main", "tk"), server.openOwned(t, shared, "b/main", "tk")
	var listing hydrate.Listing
	for _, each := range []source.Source{second, first} {
		var err error
		listing, err = each.List(t.Context(), hydrate.Cursor{})
		g.Expect(err).NotTo(HaveOccurred())
	}
	server.takeRequests()
	for _, each := range []source.Source{first, second} {
		for _, app := range listing.Apps {
			_, err := each.Fetch(t.Context(), app.Offers[0])
			g.Expect(err).NotTo(HaveOccurred())
		}
	}
	g.Expect(server.countFetches()).To(BeNumerically(">=", 7), "three archives of 10 MiB are kept")
}
