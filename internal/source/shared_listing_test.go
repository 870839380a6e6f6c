package source_test

import (
	"net/http"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/mutualtls"
	"github.com/appmarket/operator/test/proxyserver"
)

// countedIndex is a repository whose index has an ETag. It counts complete and conditional responses by
// the credentials of the request.
type countedIndex struct {
	url string

	mu                sync.Mutex
	tag, body         string
	status            int
	complete, revised map[string]int
	bytes             int
}

func startCountedIndex(t *testing.T) *countedIndex {
	s := &countedIndex{tag: `"1"`, body: indexYAML, status: http.StatusOK, complete: map[string]int{}, revised: map[string]int{}}
	s.url = startServer(t, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("ETag", s.tag)
		if s.status == http.StatusOK && r.Header.Get("If-None-Match") == s.tag {
			s.revised[r.Header.Get("Authorization")]++
			w.WriteHeader(http.StatusNotModified)
			return
		}
		s.complete[r.Header.Get("Authorization")]++
		s.bytes += len(s.body)
		w.WriteHeader(s.status)
		_, _ = w.Write([]byte(s.body)) // The client can end a request.
	}).URL
	return s
}

// open opens the repository as a source that shares its listings.
func (s *countedIndex) open(t *testing.T, shared *source.SharedListings, change func(*source.Config)) source.Source {
	t.Helper()
	cfg := source.Config{Helm: &source.HelmConfig{URL: s.url}, Network: netguard.Policy{Loopback: true}, Shared: shared}
	if change != nil {
		change(&cfg)
	}
	opened, err := source.Open(cfg)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return opened
}

func TestSourcesWithTheSameURLShareOneListing(t *testing.T) {
	g := NewWithT(t)
	server, shared := startCountedIndex(t), &source.SharedListings{}
	first, second := server.open(t, shared, nil), server.open(t, shared, func(cfg *source.Config) { cfg.PublishedURL = "http://market.example/other/main" })
	var listings [20]hydrate.Listing
	var group errgroup.Group
	for i := range listings {
		opened := []source.Source{first, second}[i%2]
		group.Go(func() (err error) {
			listings[i], err = opened.List(t.Context(), hydrate.Cursor{})
			return err
		})
	}
	g.Expect(group.Wait()).To(Succeed())
	for _, listing := range listings {
		g.Expect(listing).To(Equal(listings[0]))
	}
	g.Expect(server.complete).To(Equal(map[string]int{"": 1}))
	g.Expect(server.revised).To(Equal(map[string]int{"": 19}))
	g.Expect(server.bytes).To(Equal(len(server.body)))

	old := hydrate.Cursor{Revision: listings[0].Revision, ETag: listings[0].ETag}
	server.tag, server.body = `"2"`, "apiVersion: v1\nentries:\n  new:\n  - {name: new, version: 1.0.0, urls: [new-1.0.0.tgz]}\n"
	changed, err := first.List(t.Context(), old)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(changed)).To(Equal([]string{"new 1.0.0"}))
	again, err := second.List(t.Context(), old)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again).To(Equal(changed))
	g.Expect(server.complete).To(Equal(map[string]int{"": 2}), "the change was read once")
	unchanged, err := second.List(t.Context(), hydrate.Cursor{Revision: changed.Revision, ETag: changed.ETag})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unchanged.NotModified).To(BeTrue())
	g.Expect(server.complete).To(Equal(map[string]int{"": 2}))
}

// TestListingsAreNotSharedAcrossCredentials has configurations that must not receive the listing of
// another one.
func TestListingsAreNotSharedAcrossCredentials(t *testing.T) {
	authority, proxy := mutualtls.NewAuthority(t), proxyserver.Start(t, nil)
	for why, change := range map[string]func(*source.Config){
		"a client certificate": func(cfg *source.Config) { cfg.Helm.Certificate, cfg.Helm.Key = authority.Issue(t, "market") },
		"an authority":         func(cfg *source.Config) { cfg.Helm.CA = authority.PEM },
		"a proxy":              func(cfg *source.Config) { cfg.Helm.Proxy = source.ProxyConfig{Address: proxy.URL} },
		"without credentials":  func(cfg *source.Config) { cfg.Helm.Token = "" },
		"another token":        func(cfg *source.Config) { cfg.Helm.Token = "other" },
		"basic":                func(cfg *source.Config) { cfg.Helm.Token, cfg.Helm.Username, cfg.Helm.Password = "", "tk", "" },
		"another filter":       func(cfg *source.Config) { cfg.Exclude = []string{"x"} },
		"more versions":        func(cfg *source.Config) { cfg.MaxVersions = 9 },
		"another policy":       func(cfg *source.Config) { cfg.Network.Private = true },
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			server, shared := startCountedIndex(t), &source.SharedListings{}
			token := func(cfg *source.Config) { cfg.Helm.Token = "tk" }
			_, err := server.open(t, shared, token).List(t.Context(), hydrate.Cursor{})
			g.Expect(err).NotTo(HaveOccurred())
			_, err = server.open(t, shared, func(cfg *source.Config) { token(cfg); change(cfg) }).List(t.Context(), hydrate.Cursor{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(server.revised).To(BeEmpty())
			total := 0
			for _, count := range server.complete {
				total += count
			}
			g.Expect(total).To(Equal(2))
		})
	}
}

// TestSharedListingIsNotUsedWithoutTheOrigin revokes the credentials after the first source has read the
// index.
func TestSharedListingIsNotUsedWithoutTheOrigin(t *testing.T) {
	g := NewWithT(t)
	server, shared := startCountedIndex(t), &source.SharedListings{}
	_, err := server.open(t, shared, nil).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	server.status = http.StatusUnauthorized
	_, err = server.open(t, shared, nil).List(t.Context(), hydrate.Cursor{})
	expectOutcome(g, err, false, v1alpha1.ReasonUnauthorized)
}

func TestSharedListingsAreBounded(t *testing.T) {
	g := NewWithT(t)
	server, shared := startCountedIndex(t), &source.SharedListings{}
	for i := range 201 {
		_, err := server.open(t, shared, func(cfg *source.Config) { cfg.MaxVersions = i + 1 }).List(t.Context(), hydrate.Cursor{})
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(server.complete).To(Equal(map[string]int{"": 201}))
	for _, versions := range []int{201, 1} {
		_, err := server.open(t, shared, func(cfg *source.Config) { cfg.MaxVersions = versions }).List(t.Context(), hydrate.Cursor{})
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(server.revised).To(Equal(map[string]int{"": 1}), "the newest is kept")
	g.Expect(server.complete).To(Equal(map[string]int{"": 202}), "the oldest was removed")
}
