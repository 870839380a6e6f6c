package source_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/random"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

func TestChartsInTheCatalogOfARegistry(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	for _, repository := range []string{"team/web", "team/nested/web", "other/web", "team2/web"} {
		r.push(t, repository, "1.0.0", web("1.0.0"))
	}
	r.push(t, "team/db", "2.0.0", map[string]any{"name": "db", "version": "2.0.0"})
	image, err := random.Image(64, 1)
	g.Expect(err).NotTo(HaveOccurred())
	r.write(t, "team/image", "1.0.0", image)

	opened, err := source.Open(source.Config{
		OCI: &source.OCIConfig{URL: "oci://" + r.host + "/team", AllCharts: true, Insecure: true}, Network: netguard.Policy{Loopback: true},
	})
	g.Expect(err).NotTo(HaveOccurred())
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listing.Skipped).To(BeEmpty(), "an image is no chart")
	g.Expect(listing.Apps).To(HaveLen(2))
	offer := listing.Apps[0].Offers[0]
	g.Expect(offer.URL).To(Equal("oci://" + r.host + "/team/db:2.0.0"))
	content, err := opened.Fetch(t.Context(), offer)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Archive).NotTo(BeEmpty())
	for _, other := range []string{"/other/web", "/team2/web", "/team/nested/web", "/team/../other/web"} {
		_, err = opened.Fetch(t.Context(), hydrate.Offer{Version: "1.0.0", URL: "oci://" + r.host + other + ":1.0.0", Digest: offer.Digest})
		g.Expect(err).To(MatchError(ContainSubstring("does not belong to a repository of the source")), other)
	}

	r.takeRequests()
	again, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.Apps).To(Equal(listing.Apps))
	g.Expect(r.takeRequests()).To(ConsistOf("GET /v2/_catalog",
		"GET /v2/team/db/tags/list", "GET /v2/team/web/tags/list", "GET /v2/team/image/tags/list",
		"HEAD /v2/team/db/manifests/2.0.0", "HEAD /v2/team/web/manifests/1.0.0", "HEAD /v2/team/image/manifests/1.0.0"))
}

func TestCatalogsThatCannotBeUsed(t *testing.T) {
	repositories := func(n int) string {
		return `{"repositories":["` + strings.Join(slices.Repeat([]string{"team/%"}, n), `","`) + `"]}`
	}
	numbered := func(text string) string {
		count := 0
		return regexp.MustCompile("%").ReplaceAllStringFunc(text, func(string) string { count++; return fmt.Sprint("c", count) })
	}
	for _, c := range []struct {
		why, body, link string
		status          int
		reason, says    string
	}{
		{"the registry has none", "", "", http.StatusNotFound, v1alpha1.ReasonNotFound, "v2/_catalog: registry returned 404 Not Found"},
		{"it needs another account", "", "", http.StatusUnauthorized, v1alpha1.ReasonUnauthorized, "registry returned 401 Unauthorized"},
		{"nothing is below the path", `{"repositories":["other/web"]}`, "", http.StatusOK, v1alpha1.ReasonNotFound, "has no repositories below"},
		{"no JSON", `<html>`, "", http.StatusOK, v1alpha1.ReasonFetchFailed, "v2/_catalog"},
		{"too many charts", numbered(repositories(2_001)), "", http.StatusOK, v1alpha1.ReasonLimitExceeded, "more than 2000 repositories"},
		{"pages without an end", `{"repositories":["` + strings.Repeat("a", 100) + `"]}`, "</v2/_catalog?last=a>; rel=next", http.StatusOK, v1alpha1.ReasonLimitExceeded, "more than 50000 repositories or 1000 pages"},
		{"a page that is too large", `{"repositories":["` + strings.Repeat("a", 5<<20) + `"]}`, "", http.StatusOK, v1alpha1.ReasonLimitExceeded, "the response is too large"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			r := startRegistry(t)
			r.before = func(w http.ResponseWriter, request *http.Request) bool {
				if request.URL.Path != "/v2/_catalog" {
					return false
				}
				if c.link != "" {
					w.Header().Set("Link", c.link)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
				return true
			}
			opened, err := source.Open(source.Config{
				OCI: &source.OCIConfig{URL: "oci://" + r.host + "/team", AllCharts: true, Insecure: true}, Network: netguard.Policy{Loopback: true},
			})
			g.Expect(err).NotTo(HaveOccurred())
			_, err = opened.List(t.Context(), hydrate.Cursor{})
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
		})
	}
}
