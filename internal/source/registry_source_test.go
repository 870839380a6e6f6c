package source_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

// testRegistry is a registry that records the requests that it gets.
type testRegistry struct {
	host     string
	mu       sync.Mutex
	requests []string
	// before handles a request before the registry, if it returns true.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func startRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{}
	storage := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := startServer(t, func(w http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, request.Method+" "+request.URL.Path)
		before := r.before
		r.mu.Unlock()
		if before != nil && before(w, request) {
			return
		}
		storage.ServeHTTP(w, request)
	})
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// takeRequests returns the requests since the last call, without those for the API version.
func (r *testRegistry) takeRequests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var taken []string
	for _, request := range r.requests {
		if request != "GET /v2/" {
			taken = append(taken, request)
		}
	}
	r.requests = nil
	return taken
}

// push stores a chart as `helm push` does, and returns its archive.
func (r *testRegistry) push(t *testing.T, repository, tag string, metadata map[string]any) []byte {
	t.Helper()
	g := NewWithT(t)
	config, err := json.Marshal(metadata)
	g.Expect(err).NotTo(HaveOccurred())
	archive := []byte("\x1f\x8b" + string(config))
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/vnd.cncf.helm.config.v1+json"), types.OCIManifestSchema1)
	image, err = mutate.Append(image, mutate.Addendum{Layer: static.NewLayer(archive, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")})
	g.Expect(err).NotTo(HaveOccurred())
	r.write(t, repository, tag, chartImage{image, config})
	return archive
}

func (r *testRegistry) write(t *testing.T, repository, tag string, image v1.Image) {
	t.Helper()
	ref, err := name.NewTag(r.host + "/" + repository + ":" + tag)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(remote.Write(ref, image)).To(Succeed())
}

// chartImage is an image whose configuration is the metadata of a chart.
type chartImage struct {
	v1.Image
	config []byte
}

func (c chartImage) RawConfigFile() ([]byte, error) { return c.config, nil }

func (c chartImage) ConfigName() (v1.Hash, error) {
	hash, _, err := v1.SHA256(bytes.NewReader(c.config))
	return hash, err
}

func (c chartImage) Manifest() (*v1.Manifest, error) {
	manifest, err := c.Image.Manifest()
	if err != nil {
		return nil, err
	}
	changed := manifest.DeepCopy()
	changed.Config.Size, changed.Config.Data = int64(len(c.config)), nil
	changed.Config.Digest, err = c.ConfigName()
	changed.Annotations = map[string]string{"org.opencontainers.image.created": "2026-01-02T03:04:05Z"}
	return changed, err
}

func (c chartImage) RawManifest() ([]byte, error) {
	manifest, err := c.Manifest()
	if err != nil {
		return nil, err
	}
	return json.Marshal(manifest)
}

func (c chartImage) Digest() (v1.Hash, error) {
	raw, err := c.RawManifest()
	if err != nil {
		return v1.Hash{}, err
	}
	hash, _, err := v1.SHA256(bytes.NewReader(raw))
	return hash, err
}

func (c chartImage) Size() (int64, error) {
	raw, err := c.RawManifest()
	return int64(len(raw)), err
}

func openRegistry(t *testing.T, cfg source.OCIConfig) source.Source {
	t.Helper()
	cfg.Insecure = true
	opened, err := source.Open(source.Config{OCI: &cfg, Network: netguard.Policy{Loopback: true}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return opened
}

func web(version string) map[string]any { return map[string]any{"name": "web", "version": version} }

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

	// An unchanged registry is asked for the tags and the digest of each listed version.
	readings := 0
	reading := hydrate.WithReading(t.Context(), func(context.Context, string) error { readings++; return nil })
	again, err := opened.List(reading, hydrate.Cursor{Revision: listing.Revision})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.NotModified).To(BeTrue())
	g.Expect(readings).To(BeZero(), "nothing was read, so no attempt is recorded")
	g.Expect(r.takeRequests()).To(ConsistOf("GET /v2/charts/web/tags/list",
		"HEAD /v2/charts/web/manifests/2.0.0-rc.1", "HEAD /v2/charts/web/manifests/1.11.0_build.5", "HEAD /v2/charts/web/manifests/1.10.0"))

	// A tag that moves is a change.
	moved := web("1.10.0")
	moved["appVersion"] = "8"
	r.push(t, "charts/web", "1.10.0", moved)
	changed, err := opened.List(reading, hydrate.Cursor{Revision: listing.Revision})
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

func TestRegistryFailures(t *testing.T) {
	for _, c := range []struct {
		why    string
		before func(w http.ResponseWriter, r *http.Request) bool
		reason string
		text   string
	}{
		{"the repository does not exist", nil, v1alpha1.ReasonNotFound, "registry returned 404 Not Found: check spec.oci"},
		{"no access", func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/tags/list") {
				w.WriteHeader(http.StatusForbidden)
			}
			return strings.HasSuffix(r.URL.Path, "/tags/list")
		}, v1alpha1.ReasonUnauthorized, "check the credentials in the Secret of spec.oci.secretRef"},
		{"too many requests", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, v1alpha1.ReasonRateLimited, "registry returned 429 Too Many Requests"},
		{"an endless list of tags", func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/tags/list") {
				return false
			}
			w.Header().Set("Link", `</v2/charts/web/tags/list?last=x>; rel="next"`)
			fmt.Fprintf(w, `{"tags":["%s1.0.0"]}`, strings.Repeat(`1.0.0","`, 5000))
			return true
		}, v1alpha1.ReasonLimitExceeded, "has more than 20000 tags"},
		{"a response that is too large", func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/tags/list") {
				return false
			}
			fmt.Fprint(w, `{"tags":["`)
			_, err := io.Copy(w, io.LimitReader(zeros{}, 8<<20))
			return err != nil || true
		}, v1alpha1.ReasonLimitExceeded, "the response is too large"},
		{"text that is not JSON", func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, "private text")
			return true
		}, v1alpha1.ReasonFetchFailed, "invalid response"},
		{"a token server of another domain", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://tokens.example/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}, v1alpha1.ReasonNotAllowed, "token server of another domain"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			r := startRegistry(t)
			r.before = c.before
			_, err := openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web", Username: "me", Password: "pw"}).List(t.Context(), hydrate.Cursor{})
			g.Expect(err).To(MatchError(ContainSubstring(c.text)))
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
			g.Expect(err.Error()).NotTo(ContainSubstring("private"))
		})
	}
}

// zeros is an endless text.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestArchiveOfARegistryWithAnotherDigest(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	r.push(t, "charts/web", "1.0.0", web("1.0.0"))
	opened := openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web"})
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	offer := listing.Apps[0].Offers[0]
	r.before = func(w http.ResponseWriter, request *http.Request) bool {
		if request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/blobs/") {
			fmt.Fprint(w, "\x1f\x8bforged")
			return true
		}
		return false
	}
	_, err = opened.Fetch(t.Context(), offer)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonFetchFailed))

	offer.URL = "oci://" + r.host + "/secrets/other:1.0.0"
	_, err = opened.Fetch(t.Context(), offer)
	g.Expect(err).To(MatchError(ContainSubstring("does not belong to a repository of the source")))
}

func TestCredentialsOfARegistry(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	r.push(t, "charts/web", "1.0.0", web("1.0.0"))
	var elsewhere string
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		elsewhere += request.Header.Get("Authorization")
		fmt.Fprint(w, "stored")
	}))
	t.Cleanup(storage.Close)
	r.before = func(w http.ResponseWriter, request *http.Request) bool {
		user, password, ok := request.BasicAuth()
		switch {
		case !ok || user != "me" || password != "pw":
			w.Header().Set("WWW-Authenticate", `Basic realm="charts"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		case request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/blobs/"):
			http.Redirect(w, request, storage.URL+"/blob", http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
	_, err := openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web"}).List(t.Context(), hydrate.Cursor{})
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUnauthorized))

	_, err = openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web", Username: "me", Password: "pw"}).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).To(HaveOccurred(), "the content of the other server has another digest")
	g.Expect(elsewhere).To(BeEmpty(), "credentials are not sent to the server to which the registry redirects")
}

func TestInvalidRegistryURLs(t *testing.T) {
	for _, url := range []string{"https://registry.example/web", "oci://", "oci://web", "oci://registry.example/web:1.0.0", "oci://registry.example/web@sha256:0", "oci://registry.example/Web"} {
		_, err := source.Open(source.Config{OCI: &source.OCIConfig{URL: url}})
		NewWithT(t).Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidSpec), url)
	}
	_, err := source.Open(source.Config{OCI: &source.OCIConfig{URL: "oci://registry.example/charts", Charts: []string{"../web"}}})
	NewWithT(t).Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidSpec))
	_, err = source.Open(source.Config{OCI: &source.OCIConfig{URL: "oci://registry.example/web"}, Directory: &source.DirectoryConfig{Path: "/charts"}})
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("exactly one of helm, oci and directory must be set")))
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
