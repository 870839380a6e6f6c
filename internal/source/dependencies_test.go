package source_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

// packedChart returns the archive of a chart with a ConfigMap. Dependencies are given as lines of
// Chart.yaml.
func packedChart(t *testing.T, name, version string, dependencies ...string) []byte {
	t.Helper()
	archive, err := chart.Pack(name, chartFilesOf(name, version, dependencies...))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return archive
}

func chartFilesOf(name, version string, dependencies ...string) []chart.File {
	text := "apiVersion: v2\nname: " + name + "\nversion: " + version + "\n"
	if len(dependencies) > 0 {
		text += "dependencies:\n- {" + strings.Join(dependencies, "}\n- {") + "}\n"
	}
	return []chart.File{
		{Name: "Chart.yaml", Data: []byte(text)},
		{Name: "templates/map.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Chart.Name }}'}\n")},
	}
}

// chartServer is a Helm repository that records its requests and their credentials.
type chartServer struct {
	*httptest.Server
	mu       sync.Mutex
	entries  map[string][]string
	content  map[string][]byte
	requests []string
	// before handles a request, if it returns true.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func startChartServer(t *testing.T) *chartServer {
	t.Helper()
	s := &chartServer{entries: map[string][]string{}, content: map[string][]byte{}}
	s.Server = startServer(t, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Authorization")))
		if s.before != nil && s.before(w, r) {
			return
		}
		if r.URL.Path == "/index.yaml" {
			fmt.Fprint(w, "apiVersion: v1\nentries:\n")
			for name, versions := range s.entries {
				fmt.Fprintf(w, "  %s:\n%s", name, strings.Join(versions, ""))
			}
			return
		}
		if s.content[r.URL.Path] == nil {
			http.NotFound(w, r)
			return
		}
		w.Write(s.content[r.URL.Path])
	})
	return s
}

// add offers a chart. If digest is empty, the entry has the digest of the archive.
func (s *chartServer) add(name, version string, archive []byte, digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if digest == "" {
		digest = chart.Digest(archive)
	}
	path := "/" + name + "-" + version + ".tgz"
	s.content[path] = archive
	s.entries[name] = append(s.entries[name], fmt.Sprintf("  - {apiVersion: v2, name: %s, version: %s, urls: ['%s'], digest: '%s'}\n", name, version, strings.TrimPrefix(path, "/"), digest))
}

func (s *chartServer) takeRequests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.requests
	s.requests = nil
	return taken
}

// hydrateApp lists a source and runs the steps that a worker runs on the newest version of an app.
func hydrateApp(ctx context.Context, t *testing.T, cfg source.Config, app string) (*hydrate.Draft, error) {
	t.Helper()
	opened, err := source.Open(cfg)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	listing, err := opened.List(ctx, hydrate.Cursor{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, each := range listing.Apps {
		if each.Name == app {
			draft := &hydrate.Draft{Request: hydrate.Request{App: app, Offer: each.Offers[0], Source: opened, Profile: olares.HelmProfile{}}}
			analysis := hydrate.Analysis{Worker: hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}}}
			return draft, hydrate.Pipeline{Steps: []hydrate.Step{analysis}}.Run(ctx, draft)
		}
	}
	t.Fatalf("the source does not offer %q", app)
	return nil, nil
}

func local(cfg source.HelmConfig) source.Config {
	return source.Config{Helm: &cfg, Network: netguard.Policy{Loopback: true}}
}

func archiveNames(t *testing.T, archive []byte) []string {
	t.Helper()
	files, err := chart.Unpack(archive)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names
}

func TestDependenciesOfHelmRepositories(t *testing.T) {
	g := NewWithT(t)
	home, other := startChartServer(t), startChartServer(t)
	for _, version := range []string{"1.0.0", "1.4.0", "2.0.0", "1.5.0-rc.1"} {
		other.add("cache", version, packedChart(t, "cache", version), "")
	}
	other.add("queue", "0.3.0", packedChart(t, "queue", "0.3.0"), "")
	home.add("common", "1.0.0", packedChart(t, "common", "1.0.0"), "")
	home.add("web", "1.0.0", packedChart(t, "web", "1.0.0",
		fmt.Sprintf("name: cache, version: ^1.0.0, repository: %s", other.URL),
		fmt.Sprintf("name: cache, version: 2.0.0, alias: second, repository: %s", other.URL),
		fmt.Sprintf("name: queue, version: '*', condition: queue.enabled, repository: %s/", other.URL),
		"name: common, version: '>=1'",
	), "")
	cfg := local(source.HelmConfig{URL: home.URL, Token: "tk"})
	draft, err := hydrateApp(t.Context(), t, cfg, "web")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(archiveNames(t, draft.Archive)).To(Equal([]string{
		"Chart.lock", "Chart.yaml", "charts/cache-1.4.0.tgz", "charts/cache-2.0.0.tgz", "charts/common-1.0.0.tgz", "charts/queue-0.3.0.tgz", "templates/map.yaml",
	}))
	g.Expect(draft.AllObjects()).To(HaveLen(5))
	g.Expect(other.takeRequests()).To(Equal([]string{"/index.yaml", "/cache-1.4.0.tgz", "/cache-2.0.0.tgz", "/queue-0.3.0.tgz"}),
		"one request for the index, and no credentials of another server")
	g.Expect(home.takeRequests()).To(HaveEach(HaveSuffix(" Bearer tk")))
	again, err := hydrateApp(t.Context(), t, cfg, "web")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.Archive).To(Equal(draft.Archive), "the same inputs have the same result")
	other.add("cache", "1.4.1", packedChart(t, "cache", "1.4.1"), "")
	again, err = hydrateApp(t.Context(), t, cfg, "web")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(archiveNames(t, again.Archive)).To(ContainElement("charts/cache-1.4.1.tgz"), "a range selects the newest version")

	lock, _ := chart.FindFile(unpackChart(t, draft.Archive), "Chart.lock")
	locked := append(chartFilesOf("web", "2.0.0", fmt.Sprintf("name: cache, version: ^1.0.0, repository: %s", other.URL)), chart.File{Name: "Chart.lock", Data: lock})
	archive, err := chart.Pack("web", locked)
	g.Expect(err).NotTo(HaveOccurred())
	home.add("web", "2.0.0", archive, "")
	_, err = hydrateApp(t.Context(), t, cfg, "web")
	g.Expect(err).To(MatchError(ContainSubstring("Chart.lock does not belong")), "the lock file of another chart")
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidChart))
}

func unpackChart(t *testing.T, archive []byte) []chart.File {
	t.Helper()
	files, err := chart.Unpack(archive)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return files
}

// TestLockedDependencies uses the lock file of a chart without versions in ranges.
func TestLockedDependencies(t *testing.T) {
	g := NewWithT(t)
	home := startChartServer(t)
	home.add("cache", "1.0.0", packedChart(t, "cache", "1.0.0"), "")
	depends := "name: cache, version: ^1.0.0, repository: " + home.URL
	home.add("web", "1.0.0", packedChart(t, "web", "1.0.0", depends), "")
	cfg := local(source.HelmConfig{URL: home.URL})
	draft, err := hydrateApp(t.Context(), t, cfg, "web")
	g.Expect(err).NotTo(HaveOccurred())
	lock, _ := chart.FindFile(unpackChart(t, draft.Archive), "Chart.lock")
	home.add("cache", "1.9.0", packedChart(t, "cache", "1.9.0"), "")
	archive, err := chart.Pack("web", append(chartFilesOf("web", "1.1.0", depends), chart.File{Name: "Chart.lock", Data: lock}))
	g.Expect(err).NotTo(HaveOccurred())
	home.add("web", "1.1.0", archive, "")
	draft, err = hydrateApp(t.Context(), t, cfg, "web")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(archiveNames(t, draft.Archive)).To(And(ContainElement("charts/cache-1.0.0.tgz"), Not(ContainElement("charts/cache-1.9.0.tgz"))))
}

func TestDependenciesOfRegistries(t *testing.T) {
	g := NewWithT(t)
	home, registry := startChartServer(t), startRegistry(t)
	for _, version := range []string{"1.0.0", "1.1.0", "2.0.0+build.1"} {
		registry.pushArchive(t, "charts/cache", "cache", version, packedChart(t, "cache", version))
	}
	url := "oci://" + registry.host + "/charts"
	home.add("web", "1.0.0", packedChart(t, "web", "1.0.0", "name: cache, version: 1.x, repository: '"+url+"'", "name: cache, version: 2.0.0+build.1, alias: second, repository: '"+url+"'"), "")
	draft, err := hydrateApp(t.Context(), t, local(source.HelmConfig{URL: home.URL, Token: "tk"}), "web")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(archiveNames(t, draft.Archive)).To(ContainElements("charts/cache-1.1.0.tgz", "charts/cache-2.0.0+build.1.tgz"))

	// The same registry, and the charts of the same source.
	registry.pushArchive(t, "charts/app", "app", "1.0.0", packedChart(t, "app", "1.0.0", "name: cache, version: 1.0.0, repository: '"+url+"'", "name: other, version: '*'"))
	registry.pushArchive(t, "charts/other", "other", "3.0.0", packedChart(t, "other", "3.0.0"))
	cfg := source.Config{OCI: &source.OCIConfig{URL: url, Charts: []string{"app", "other"}, Insecure: true}, Network: netguard.Policy{Loopback: true}}
	draft, err = hydrateApp(t.Context(), t, cfg, "app")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(archiveNames(t, draft.Archive)).To(ContainElements("charts/cache-1.0.0.tgz", "charts/other-3.0.0.tgz"))
}

// pushArchive stores a packed chart.
func (r *testRegistry) pushArchive(t *testing.T, repository, name, version string, archive []byte) {
	t.Helper()
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/vnd.cncf.helm.config.v1+json"), types.OCIManifestSchema1)
	image, err := mutate.Append(image, mutate.Addendum{Layer: static.NewLayer(archive, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	config := fmt.Appendf(nil, `{"name":%q,"version":%q}`, name, version)
	r.write(t, repository, strings.ReplaceAll(version, "+", "_"), chartImage{image, config})
}

func TestDependenciesOfDirectories(t *testing.T) {
	g := NewWithT(t)
	root := t.TempDir()
	write := func(folder string, files []chart.File) {
		for _, f := range files {
			path := filepath.Join(root, folder, f.Name)
			g.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
			g.Expect(os.WriteFile(path, f.Data, 0o600)).To(Succeed())
		}
	}
	write("common", chartFilesOf("common", "1.0.0", "name: base, version: 1.x, repository: 'file://../base'"))
	write("base", chartFilesOf("base", "1.2.0"))
	write("extra", chartFilesOf("extra", "0.1.0"))
	write("web", chartFilesOf("web", "1.0.0", "name: common, version: 1.x, repository: 'file://../common'", "name: extra, version: 0.x, repository: http://market.example/market/team/"))
	write("escape", chartFilesOf("escape", "1.0.0", "name: x, version: 1.x, repository: 'file://../../x'"))
	cfg := source.Config{
		Directory: &source.DirectoryConfig{Path: root, AllowedRoots: []string{root}}, PublishedURL: "http://market.example/market/team",
		Include: []string{"web", "escape"},
	}
	draft, err := hydrateApp(t.Context(), t, cfg, "web")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(archiveNames(t, draft.Archive)).To(ContainElements("charts/common-1.0.0.tgz", "charts/extra-0.1.0.tgz"))
	g.Expect(draft.AllObjects()).To(HaveLen(4))
	_, err = hydrateApp(t.Context(), t, cfg, "escape")
	g.Expect(err).To(MatchError(ContainSubstring("outside of the source")))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonNotAllowed))
}

func TestDependenciesThatFail(t *testing.T) {
	redirect := func(target string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, target, http.StatusFound)
			return true
		}
	}
	respond := func(status int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(status); return true }
	}
	for _, c := range []struct {
		why        string
		repository string
		digest     string
		version    string
		before     func(w http.ResponseWriter, r *http.Request) bool
		stalled    bool
		reason     string
		says       string
	}{
		{why: "another digest", digest: chart.Digest([]byte("x")), stalled: true, reason: v1alpha1.ReasonDigestMismatch, says: "digest mismatch"},
		{why: "no such version", version: "3.0.0", stalled: true, reason: v1alpha1.ReasonNotFound, says: "no such chart or version"},
		{why: "an invalid range", version: "newest", stalled: true, reason: v1alpha1.ReasonInvalidChart, says: "neither a semantic version"},
		{why: "a link-local address", repository: "http://169.254.169.254/charts", stalled: true, reason: v1alpha1.ReasonNotAllowed, says: "link-local"},
		{why: "a private address", repository: "http://10.0.0.1", stalled: true, reason: v1alpha1.ReasonNotAllowed, says: "address not allowed (private)"},
		{why: "a private registry", repository: "oci://charts.team.svc/charts", stalled: true, reason: v1alpha1.ReasonNotAllowed, says: "address not allowed (private)"},
		{why: "a registry over HTTP", repository: "oci://registry.invalid:80/charts", reason: v1alpha1.ReasonFetchFailed, says: "registry.invalid"},
		{why: "a redirect to a metadata service", before: redirect("http://169.254.169.254/"), stalled: true, reason: v1alpha1.ReasonNotAllowed, says: "link-local"},
		{why: "credentials in the URL", repository: "https://me:secret@charts.example", stalled: true, reason: v1alpha1.ReasonInvalidChart, says: "contains credentials"},
		{why: "no index", before: respond(http.StatusNotFound), stalled: true, reason: v1alpha1.ReasonNotFound, says: "404 Not Found"},
		{why: "a server error", before: respond(http.StatusBadGateway), reason: v1alpha1.ReasonFetchFailed, says: "502 Bad Gateway"},
		{why: "a server that requires credentials", before: respond(http.StatusUnauthorized), reason: v1alpha1.ReasonUnauthorized, says: "credentials are only sent to the server of the source"},
		{why: "a server that does not exist", repository: "http://charts.invalid", reason: v1alpha1.ReasonFetchFailed, says: "charts.invalid"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			home, other := startChartServer(t), startChartServer(t)
			other.before = c.before
			other.add("cache", "1.0.0", packedChart(t, "cache", "1.0.0"), c.digest)
			if c.repository == "" {
				c.repository = other.URL
			}
			if c.version == "" {
				c.version = "1.x"
			}
			home.add("web", "1.0.0", packedChart(t, "web", "1.0.0", fmt.Sprintf("name: cache, version: %s, repository: '%s'", c.version, c.repository)), "")
			_, err := hydrateApp(t.Context(), t, local(source.HelmConfig{URL: home.URL, Token: "tk"}), "web")
			expectOutcome(g, err, c.stalled, c.reason)
			g.Expect(err).To(MatchError(And(ContainSubstring(`dependency "cache"`), ContainSubstring(c.says), Not(ContainSubstring("secret")))))
		})
	}
}

// TestRedirectedDependency has a repository that redirects to another server.
func TestRedirectedDependency(t *testing.T) {
	g := NewWithT(t)
	home, other := startChartServer(t), startChartServer(t)
	other.add("cache", "1.0.0", packedChart(t, "cache", "1.0.0"), "")
	home.add("cache", "1.0.0", packedChart(t, "cache", "1.0.0"), "")
	home.add("web", "1.0.0", packedChart(t, "web", "1.0.0", "name: cache, version: 1.x, repository: "+home.URL), "")
	home.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/cache-1.0.0.tgz" {
			return false
		}
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusFound)
		return true
	}
	_, err := hydrateApp(t.Context(), t, local(source.HelmConfig{URL: home.URL, Username: "me", Password: "pw"}), "web")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(home.takeRequests()).To(HaveEach(ContainSubstring(" Basic ")), "the repository is the server of the source")
	g.Expect(other.takeRequests()).To(Equal([]string{"/cache-1.0.0.tgz"}), "without credentials")
}

func TestDependenciesAreLimited(t *testing.T) {
	g := NewWithT(t)
	home := startChartServer(t)
	var depends []string
	for i := range 5 {
		name := fmt.Sprint("large", i)
		archive := make([]byte, 4<<20)
		home.add(name, "1.0.0", archive, "")
		depends = append(depends, fmt.Sprintf("name: %s, version: 1.0.0, repository: %s", name, home.URL))
	}
	home.add("web", "1.0.0", packedChart(t, "web", "1.0.0", depends...), "")
	_, err := hydrateApp(t.Context(), t, local(source.HelmConfig{URL: home.URL}), "web")
	expectOutcome(g, err, true, v1alpha1.ReasonLimitExceeded)
	g.Expect(err).To(MatchError(ContainSubstring("the dependencies are larger than 16777216 bytes in total")))
}
