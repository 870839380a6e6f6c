package source_test

import (
	"context"
	"fmt"
	"net/http"
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

func TestVersionsOfARegistry(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	for _, version := range []string{"1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1"} {
		r.push(t, "charts/web", version, web(version))
	}
	metadata := web("1.11.0+build.5")
	metadata["appVersion"], metadata["deprecated"] = "7", true
	archive := r.push(t, "charts/web", "1.11.0_build.5", metadata)
	r.push(t, "charts/web", "latest", web("1.10.0"))
	r.push(t, "charts/web", "sha256-0000000000000000000000000000000000000000000000000000000000000000.sig", web("1.10.0"))
	opened := openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web"})

	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listing.Skipped).To(BeEmpty())
	g.Expect(listing.Apps).To(HaveLen(1))
	g.Expect(listing.Apps[0].Name).To(Equal("web"))
	var versions []string
	for _, offer := range listing.Apps[0].Offers {
		versions = append(versions, offer.Version)
	}
	g.Expect(versions).To(Equal([]string{"2.0.0-rc.1", "1.11.0+build.5", "1.10.0"}))
	offer := listing.Apps[0].Offers[1]
	g.Expect(offer.URL).To(Equal("oci://" + r.host + "/charts/web:1.11.0_build.5"))
	g.Expect(offer.AppVersion).To(Equal("7"))
	g.Expect(offer.Deprecated).To(BeTrue())
	g.Expect(offer.Created.Year()).To(Equal(2026))

	content, err := opened.Fetch(t.Context(), offer)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Archive).To(Equal(archive))
	r.takeRequests()

	// An unchanged registry is asked for the tags and the digest of the newest version.
	readings := 0
	reading := hydrate.WithReading(t.Context(), func(context.Context, string) error { readings++; return nil })
	again, err := opened.List(reading, hydrate.Cursor{Revision: listing.Revision})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.NotModified).To(BeTrue())
	g.Expect(readings).To(BeZero(), "nothing was read, so no attempt is recorded")
	g.Expect(r.takeRequests()).To(ConsistOf("GET /v2/charts/web/tags/list", "HEAD /v2/charts/web/manifests/2.0.0-rc.1"))

	// A tag that moves is a change, which a complete listing notices.
	moved := web("1.10.0")
	moved["appVersion"] = "8"
	r.push(t, "charts/web", "1.10.0", moved)
	r.takeRequests()
	changed, err := opened.List(reading, hydrate.Cursor{Revision: listing.Revision, Complete: true})
	g.Expect(r.takeRequests()).To(ContainElements("GET /v2/charts/web/tags/list",
		"HEAD /v2/charts/web/manifests/2.0.0-rc.1", "HEAD /v2/charts/web/manifests/1.11.0_build.5", "HEAD /v2/charts/web/manifests/1.10.0"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(readings).To(Equal(1))
	g.Expect(changed.NotModified).To(BeFalse())
	g.Expect(changed.Apps[0].Offers[2].AppVersion).To(Equal("8"))
	g.Expect(changed.Apps[0].Offers[2].Digest).NotTo(Equal(listing.Apps[0].Offers[2].Digest))
}

func TestListedChartsOfARegistry(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	r.push(t, "team/web", "1.0.0", web("1.0.0"))
	r.push(t, "team/renamed", "1.0.0", web("1.0.0"))
	r.push(t, "team/versions", "1.0.0", map[string]any{"name": "versions", "version": "3.0.0"})
	r.push(t, "team/excluded", "1.0.0", map[string]any{"name": "excluded", "version": "1.0.0"})
	image, err := random.Image(64, 1)
	g.Expect(err).NotTo(HaveOccurred())
	r.write(t, "team/image", "1.0.0", image)

	opened, err := source.Open(source.Config{
		OCI:     &source.OCIConfig{URL: "oci://" + r.host + "/team/", Charts: []string{"web", "renamed", "versions", "image", "missing", "excluded"}, Insecure: true},
		Network: netguard.Policy{Loopback: true}, Exclude: []string{"ex*"},
	})
	g.Expect(err).NotTo(HaveOccurred())
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listing.Apps).To(HaveLen(1))
	g.Expect(listing.Apps[0].Name).To(Equal("web"))
	g.Expect(listing.Unwanted).To(Equal(1))
	var skipped []string
	for _, each := range listing.Skipped {
		skipped = append(skipped, each.Name+": "+outcome.Reason(each.Err, "")+": "+each.Err.Error())
	}
	g.Expect(skipped).To(HaveExactElements(
		And(HavePrefix("image: InvalidChart: "), HaveSuffix(` is not a Helm chart`)),
		And(HavePrefix("missing: NotFound: get "), ContainSubstring("registry returned 404 Not Found")),
		HavePrefix(`renamed: InvalidChart: version "1.0.0" has the name "web"`),
		Equal(`versions: InvalidChart: the chart of tag "1.0.0" has the version "3.0.0"`),
	))
}

// TestRepositoriesWithoutAccess expects that repositories that cannot be listed do not prevent the listing of the
// others, and that their apps are kept.
func TestRepositoriesWithoutAccess(t *testing.T) {
	endless := strings.Repeat(`1.0.0","`, 21_000)
	for _, allCharts := range []bool{false, true} {
		g := NewWithT(t)
		r := startRegistry(t)
		for _, chart := range []string{"web", "denied", "private", "endless"} {
			r.push(t, "team/"+chart, "1.0.0", map[string]any{"name": chart, "version": "1.0.0"})
		}
		denied := map[string]int{"/v2/team/denied/tags/list": http.StatusForbidden, "/v2/team/private/tags/list": http.StatusUnauthorized}
		r.before = func(w http.ResponseWriter, request *http.Request) bool {
			if request.URL.Path == "/v2/team/endless/tags/list" {
				fmt.Fprintf(w, `{"tags":["%s1.0.0"]}`, endless)
				return true
			}
			if denied[request.URL.Path] == 0 {
				return false
			}
			w.WriteHeader(denied[request.URL.Path])
			return true
		}
		cfg := &source.OCIConfig{URL: "oci://" + r.host + "/team", AllCharts: allCharts, Insecure: true}
		if !allCharts {
			cfg.Charts = []string{"web", "denied", "private", "endless"}
		}
		opened, err := source.Open(source.Config{OCI: cfg, Network: netguard.Policy{Loopback: true}})
		g.Expect(err).NotTo(HaveOccurred())
		listing, err := opened.List(t.Context(), hydrate.Cursor{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(listing.Apps).To(ConsistOf(HaveField("Name", "web")))
		var skipped []string
		for _, each := range listing.Skipped {
			skipped = append(skipped, each.Name+": "+outcome.Reason(each.Err, ""))
		}
		g.Expect(skipped).To(Equal([]string{"denied: Unauthorized", "endless: LimitExceeded", "private: Unauthorized"}))

		denied["/v2/team/web/tags/list"] = http.StatusForbidden
		_, err = opened.List(t.Context(), hydrate.Cursor{})
		g.Expect(err).To(HaveOccurred(), "without access to any repository, the credentials are wrong")
	}
}

func TestVersionsOfARegistryInARange(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	for _, version := range []string{"1.0.0", "1.1.0", "2.0.0"} {
		r.push(t, "team/web", version, web(version))
	}
	r.push(t, "team/other", "0.1.0", map[string]any{"name": "other", "version": "0.1.0"})
	opened, err := source.Open(source.Config{
		OCI:      &source.OCIConfig{URL: "oci://" + r.host + "/team", Charts: []string{"web", "other"}, Insecure: true},
		Versions: ">=1 <2", Network: netguard.Policy{Loopback: true},
	})
	g.Expect(err).NotTo(HaveOccurred())
	r.takeRequests()
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listing.Apps).To(ConsistOf(And(HaveField("Name", "web"),
		HaveField("Offers", HaveExactElements(HaveField("Version", "1.1.0"), HaveField("Version", "1.0.0"))))))
	g.Expect(listing.Unwanted).To(Equal(1))
	g.Expect(listing.Skipped).To(BeEmpty())
	g.Expect(r.takeRequests()).NotTo(ContainElement(ContainSubstring("/manifests/2.0.0")), "no manifest of another version is read")
}

func TestChartsInTheRegistryOfAnIndex(t *testing.T) {
	r := startRegistry(t)
	archive := r.push(t, "charts/web", "1.0.0_build", web("1.0.0+build"))
	opened := openHelm(t, source.HelmConfig{URL: "https://charts.example", Username: "me", Password: "pw"})
	r.before = func(w http.ResponseWriter, request *http.Request) bool {
		if request.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusTeapot)
			return true
		}
		return false
	}
	for _, c := range []struct{ url, reason string }{
		{"oci://" + r.host + "/charts/web", ""},
		{"oci://" + r.host + "/charts/web:1.0.0_build", ""},
		{"oci://" + r.host + "/charts/web:2.0.0", v1alpha1.ReasonNotFound},
		{"oci://" + r.host + "/charts/web@sha256:00", v1alpha1.ReasonFetchFailed},
		{"oci:///web", v1alpha1.ReasonFetchFailed},
		{"oci://web", v1alpha1.ReasonFetchFailed},
		{"oci://registry.invalid/web", v1alpha1.ReasonFetchFailed},
		{"oci://169.254.169.254/web", v1alpha1.ReasonNotAllowed},
	} {
		t.Run(c.url, func(t *testing.T) {
			g := NewWithT(t)
			content, err := opened.Fetch(t.Context(), hydrate.Offer{Version: "1.0.0+build", URL: c.url})
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%v", err)
			if c.reason == "" {
				g.Expect(content.Archive).To(Equal(archive))
			}
		})
	}
}
