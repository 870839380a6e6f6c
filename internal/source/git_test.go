package source_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/internal/source/git"
)

func chartText(name, version string) string {
	return "apiVersion: v2\nname: " + name + "\nversion: " + version + "\n"
}

// offersOf returns the apps of a listing with their versions.
func offersOf(listing hydrate.Listing) []string {
	var found []string
	for _, app := range listing.Apps {
		for _, offer := range app.Offers {
			found = append(found, app.Name+" "+offer.Version)
		}
	}
	return found
}

func TestGitFollowsABranch(t *testing.T) {
	g := NewWithT(t)
	server := startGitServer(t)
	for i := range 5 { // A history that is not fetched.
		server.commit(t, map[string]string{"web/history": strings.Repeat(fmt.Sprint(i), 100_000)})
	}
	first := server.commit(t, map[string]string{
		"web/Chart.yaml": chartText("web", "1.0.0"), "web/templates/map.yaml": "kind: ConfigMap\n", "web/history": "x",
		"docs/README.md": "no chart", "README.md": "no chart", ".github/Chart.yaml": chartText("hidden", "1.0.0"),
	})
	opened := server.open(t, source.GitConfig{})
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
	g.Expect(listing.ETag).To(Equal(first))
	requests, _ := server.TakeRequests()
	g.Expect(requests).To(Equal([]string{"GET /team/charts.git/info/refs", "POST /team/charts.git/git-upload-pack"}))

	content, err := opened.Fetch(t.Context(), listing.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Files).To(HaveLen(3))
	requests, _ = server.TakeRequests()
	g.Expect(requests).To(BeEmpty(), "the commit that was listed is not fetched again")

	unchanged, err := opened.List(t.Context(), hydrate.Cursor{Revision: listing.Revision, ETag: listing.ETag})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unchanged.NotModified).To(BeTrue())
	requests, bytes := server.TakeRequests()
	g.Expect(requests).To(Equal([]string{"GET /team/charts.git/info/refs"}))
	g.Expect(bytes).To(BeNumerically("<", 1000))

	second := server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "1.1.0"), "cache/Chart.yaml": chartText("cache", "0.1.0")})
	changed, err := opened.List(t.Context(), hydrate.Cursor{Revision: listing.Revision, ETag: listing.ETag})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(changed)).To(Equal([]string{"cache 0.1.0", "web 1.1.0"}))
	g.Expect(changed.ETag).To(Equal(second))

	// Another process fetches a chart.
	g.Expect(os.RemoveAll(server.dir)).To(Succeed())
	server.TakeRequests()
	content, err = server.open(t, source.GitConfig{}).Fetch(t.Context(), changed.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Files).To(HaveLen(1))
	content, err = opened.Fetch(t.Context(), changed.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred(), "the files were removed by another process")
	g.Expect(content.Files).To(HaveLen(1))
}

func TestGitSelectsACommit(t *testing.T) {
	server := startGitServer(t)
	old := server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")})
	server.tag(t, "v1.0.0")
	server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "1.4.0")})
	server.tag(t, "--annotate", "--message", "release", "v1.4.0")
	server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "2.0.0-rc.1")})
	server.tag(t, "v2.0.0-rc.1")
	server.tag(t, "nightly")
	_, err := server.Git("", "checkout", "--quiet", "-b", "next/major")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "2.0.0-rc.2"), "one/Chart.yaml": chartText("one", "1.0.0")})
	_, err = server.Git("", "checkout", "--quiet", "main")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, c := range []struct {
		why    string
		cfg    source.GitConfig
		want   []string
		reason string
	}{
		{"the default branch", source.GitConfig{}, []string{"web 2.0.0-rc.1"}, ""},
		{"a branch", source.GitConfig{Selection: git.Selection{Branch: "next/major"}}, []string{"one 1.0.0", "web 2.0.0-rc.2"}, ""},
		{"a tag", source.GitConfig{Selection: git.Selection{Tag: "v1.0.0"}}, []string{"web 1.0.0"}, ""},
		{"an annotated tag", source.GitConfig{Selection: git.Selection{Tag: "v1.4.0"}}, []string{"web 1.4.0"}, ""},
		{"a commit", source.GitConfig{Selection: git.Selection{Commit: old}}, []string{"web 1.0.0"}, ""},
		{"a range", source.GitConfig{Selection: git.Selection{Semver: ">=1.0.0"}}, []string{"web 1.4.0"}, ""},
		{"a range with prereleases", source.GitConfig{Selection: git.Selection{Semver: ">=1.0.0-0"}}, []string{"web 2.0.0-rc.1"}, ""},
		{"a chart that is the path", source.GitConfig{Path: "web", Selection: git.Selection{Tag: "v1.0.0"}}, []string{"web 1.0.0"}, ""},
		{"no such branch", source.GitConfig{Selection: git.Selection{Branch: "other"}}, nil, v1alpha1.ReasonNotFound},
		{"no such tag", source.GitConfig{Selection: git.Selection{Tag: "v9"}}, nil, v1alpha1.ReasonNotFound},
		{"no version in the range", source.GitConfig{Selection: git.Selection{Semver: ">=9"}}, nil, v1alpha1.ReasonNotFound},
		{"an invalid range", source.GitConfig{Selection: git.Selection{Semver: "newest"}}, nil, v1alpha1.ReasonInvalidIndex},
		{"no such path", source.GitConfig{Path: "charts/stable"}, nil, v1alpha1.ReasonNotFound},
		{"a path that is a file", source.GitConfig{Path: "web/Chart.yaml"}, nil, v1alpha1.ReasonNotFound},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			listing, err := server.open(t, c.cfg).List(t.Context(), hydrate.Cursor{})
			if c.reason != "" {
				expectOutcome(g, err, true, c.reason)
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(offersOf(listing)).To(Equal(c.want))
		})
	}
}

func TestGitHasDependencies(t *testing.T) {
	g := NewWithT(t)
	server := startGitServer(t)
	server.commit(t, map[string]string{
		"charts/web/Chart.yaml":    chartText("web", "1.0.0") + "dependencies:\n- {name: common, version: 1.x, repository: 'file://../common'}\n",
		"charts/common/Chart.yaml": chartText("common", "1.2.0"),
	})
	cfg := source.Config{Git: &source.GitConfig{URL: server.url, TransportConfig: source.TransportConfig{CA: server.ca}, Path: "./charts/", Checkouts: &source.Checkouts{Dir: server.dir}}, Network: netguard.Policy{Loopback: true}}
	draft, err := hydrateApp(t.Context(), t, cfg, "web")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(archiveNames(t, draft.Archive)).To(ContainElement("charts/common-1.2.0.tgz"))
	requests, _ := server.TakeRequests()
	g.Expect(requests).To(HaveLen(2), "one fetch for the listing and all charts")
}

// TestGitLinksAndSubmodules has a chart with a link, one with a submodule, and one with a file of
// Git LFS.
func TestGitLinksAndSubmodules(t *testing.T) {
	g := NewWithT(t)
	server := startGitServer(t)
	g.Expect(os.MkdirAll(server.Dir+"/linked", 0o755)).To(Succeed())
	g.Expect(os.Symlink("/etc/passwd", server.Dir+"/linked/values.yaml")).To(Succeed())
	g.Expect(os.Symlink("web", server.Dir+"/alias")).To(Succeed())
	commit := server.commit(t, map[string]string{
		"linked/Chart.yaml": chartText("linked", "1.0.0"), "web/Chart.yaml": chartText("web", "1.0.0"),
		"web/large.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
		".gitmodules":   "[submodule \"web/sub\"]\n\tpath = web/sub\n\turl = https://169.254.169.254/\n",
	})
	_, err := server.Git("", "update-index", "--add", "--cacheinfo", "160000,"+commit+",web/sub")
	g.Expect(err).NotTo(HaveOccurred())
	_, err = server.Git("", "commit", "--quiet", "--message", "submodule")
	g.Expect(err).NotTo(HaveOccurred())
	opened := server.open(t, source.GitConfig{})
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
	g.Expect(listing.Skipped).To(ConsistOf(HaveField("Name", "linked")))
	g.Expect(listing.Skipped[0].Err).To(MatchError(ContainSubstring("links and special files are not allowed")))
	content, err := opened.Fetch(t.Context(), listing.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Files).To(HaveLen(2), "the submodule is omitted, and the pointer of Git LFS is a file")
}

func TestGitConfigIsChecked(t *testing.T) {
	_, key := newSSHKey(t)
	for url, cfg := range map[string]source.GitConfig{
		"http://git.example/charts.git": {}, "file:///etc": {}, "git://git.example/charts.git": {}, "https://me:pw@git.example/charts.git": {},
		"https://me@git.example/charts.git": {}, "ssh://git:pw@git.example/charts.git": {PrivateKey: key, KnownHosts: []byte("x")},
		"ssh://git.example/charts.git": {}, "ssh://git@git.example/charts.git": {PrivateKey: key}, "ssh://git.example/a.git": {PrivateKey: []byte("x"), KnownHosts: []byte("x")},
		"https://git.example/charts.git": {Token: "a", Username: "b"},
	} {
		cfg.URL = url
		_, err := source.Open(source.Config{Git: &cfg})
		expectOutcome(NewWithT(t), err, true, v1alpha1.ReasonInvalidSpec)
		NewWithT(t).Expect(err).To(MatchError(And(ContainSubstring("spec.git."), Not(ContainSubstring(":pw")))), url)
	}
}
