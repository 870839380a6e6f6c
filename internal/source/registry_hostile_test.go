package source_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

// TestHostileChartsOfARegistry has artifacts that must not prevent the listing of another chart in the same
// registry, and that are not read again.
func TestHostileChartsOfARegistry(t *testing.T) {
	image := func(config string, layer types.MediaType) v1.Image {
		made := mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/vnd.cncf.helm.config.v1+json"), types.OCIManifestSchema1)
		made, err := mutate.Append(made, mutate.Addendum{Layer: static.NewLayer([]byte("\x1f\x8bx"), layer)})
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		return chartImage{made, []byte(config)}
	}
	const chartLayer = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	for _, c := range []struct {
		why    string
		image  v1.Image
		before func(w http.ResponseWriter, r *http.Request) bool
		reason string
		says   string
	}{
		{why: "an image", image: mutate.MediaType(empty.Image, types.OCIManifestSchema1), reason: v1alpha1.ReasonInvalidChart, says: "is not a Helm chart"},
		{why: "no archive", image: image("{}", "text/plain"), reason: v1alpha1.ReasonInvalidChart, says: "has no layer with a Helm chart"},
		{why: "a configuration that is not JSON", image: image("s3cr3t", chartLayer), reason: v1alpha1.ReasonInvalidChart, says: "is not a Chart.yaml in JSON"},
		{why: "a large configuration", image: image(`{"name":"`+strings.Repeat("x", 5<<20)+`"}`, chartLayer), reason: v1alpha1.ReasonInvalidChart, says: "is larger than"},
		{why: "another version", image: image(`{"name":"bad","version":"9.0.0"}`, chartLayer), reason: v1alpha1.ReasonInvalidChart, says: `has the version "9.0.0"`},
		{why: "another name", image: image(`{"name":"../web","version":"1.0.0"}`, chartLayer), reason: v1alpha1.ReasonInvalidChart, says: `has the name "../web"`},
		{why: "a tag without a manifest", image: image(`{"name":"bad","version":"1.0.0"}`, chartLayer), before: func(w http.ResponseWriter, r *http.Request) bool {
			isManifest := strings.HasSuffix(r.URL.Path, "/bad/manifests/1.0.0")
			if isManifest {
				w.WriteHeader(http.StatusNotFound)
			}
			return isManifest
		}, reason: v1alpha1.ReasonNotFound, says: "404"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			r := startRegistry(t)
			r.push(t, "charts/web", "1.0.0", web("1.0.0"))
			r.write(t, "charts/bad", "1.0.0", c.image)
			r.before = c.before
			opened := openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts", Charts: []string{"bad", "web"}})
			listing, err := opened.List(t.Context(), hydrate.Cursor{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
			g.Expect(listing.Skipped).To(HaveLen(1))
			g.Expect(listing.Skipped[0].Name).To(Equal("bad"))
			g.Expect(listing.Skipped[0].Err).To(MatchError(And(ContainSubstring(c.says), Not(ContainSubstring("s3cr3t")))))
			g.Expect(outcome.Reason(listing.Skipped[0].Err, v1alpha1.ReasonInvalidChart)).To(Equal(c.reason))
			r.takeRequests()
			_, err = opened.List(t.Context(), hydrate.Cursor{Revision: listing.Revision})
			g.Expect(err).NotTo(HaveOccurred())
			for _, request := range r.takeRequests() {
				g.Expect(request).To(Or(HavePrefix("HEAD "), HaveSuffix("/tags/list")), "nothing is read again")
			}
		})
	}
}

// TestHostileTagsOfARegistry has tags that are no versions of a chart. None becomes part of a request.
func TestHostileTagsOfARegistry(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	r.push(t, "charts/web", "1.0.0", web("1.0.0"))
	r.before = func(w http.ResponseWriter, request *http.Request) bool {
		if !strings.HasSuffix(request.URL.Path, "/tags/list") {
			return false
		}
		fmt.Fprintf(w, `{"tags":["1.0.0","../../secrets/other","1.0.0-%s","9.0.0/../x","9.0.0\u0000","%%2e%%2e",""]}`, strings.Repeat("a", 500))
		return true
	}
	r.takeRequests()
	listing, err := openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web"}).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
	for _, request := range r.takeRequests() {
		g.Expect(request).To(MatchRegexp(`^(GET|HEAD) /v2/charts/web/(tags/list|manifests/[a-z0-9:.]+|blobs/[a-z0-9:]+)$`))
	}
}

// TestWrongContentIsNotRemembered has a registry that sends the wrong content for the digest of a chart, as the proxy of
// another tenant can for the registry of a victim.
func TestWrongContentIsNotRemembered(t *testing.T) {
	for why, wrong := range map[string]struct{ path, body string }{
		"an endless manifest":      {"/manifests/sha256:", ""},
		"another manifest":         {"/manifests/sha256:", "{}"},
		"an endless configuration": {"/blobs/", ""},
		"another configuration":    {"/blobs/", "{}"},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			r := startRegistry(t)
			r.push(t, "charts/web", "1.0.0", web("1.0.0"))
			r.before = func(w http.ResponseWriter, request *http.Request) bool {
				if request.Method != http.MethodGet || !strings.Contains(request.URL.Path, wrong.path) {
					return false
				}
				content := io.Reader(strings.NewReader(wrong.body))
				if wrong.body == "" {
					content = io.LimitReader(zeros{}, 16<<20)
				}
				_, _ = io.Copy(w, content) // The client stops reading.
				return true
			}
			opened := openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts", Charts: []string{"web"}})
			if listing, err := opened.List(t.Context(), hydrate.Cursor{}); err == nil {
				g.Expect(offersOf(listing)).To(BeEmpty())
			}
			r.before = nil
			listing, err := opened.List(t.Context(), hydrate.Cursor{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
		})
	}
}

// TestChartsAreNotSharedAcrossAccesses has two sources with the same URL, but other credentials.
func TestChartsAreNotSharedAcrossAccesses(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	r.push(t, "charts/web", "1.0.0", web("1.0.0"))
	url := "oci://" + r.host + "/charts/web"
	_, err := openRegistry(t, source.OCIConfig{URL: url}).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	r.takeRequests()
	_, err = openRegistry(t, source.OCIConfig{URL: url, Username: "me", Password: "pw"}).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.takeRequests()).To(ContainElement(HavePrefix("GET /v2/charts/web/blobs/")), "another access reads the chart itself")
}
