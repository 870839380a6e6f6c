package chartrepo_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/repo"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/chartrepo"
)

// newSemanticPublication returns an app whose archive differs by source.
func newSemanticPublication(t *testing.T, owner hydrate.Owner, app, version string) hydrate.PublishRequest {
	t.Helper()
	return newPublicationWith(t, owner, app, version, []byte(owner.Namespace+"/"+owner.Source+" "+app+" "+version))
}

// listEntries returns the archives of all versions of all entries of the index at a path.
func listEntries(t *testing.T, handler http.Handler, path string) map[string]map[string]string {
	t.Helper()
	g := gomega.NewWithT(t)
	var index repo.IndexFile
	g.Expect(yaml.Unmarshal(getPath(t, handler, path).Body.Bytes(), &index)).To(gomega.Succeed())
	found := map[string]map[string]string{}
	for name, versions := range index.Entries {
		found[name] = map[string]string{}
		for _, v := range versions {
			at := "/"
			if path == "/charts/index.yaml" {
				at = "/charts/"
			}
			answer := getPath(t, handler, at+v.URLs[0])
			g.Expect(answer.Code).To(gomega.Equal(http.StatusOK), v.URLs[0])
			g.Expect(digestOf(answer.Body.Bytes())).To(gomega.Equal("sha256:" + v.Digest))
			found[name][v.Version] = answer.Body.String()
		}
	}
	return found
}

// TestAggregateIndexFollowsMarketOrder has three markets that offer an app of the same name
// in an older, the same and a newer version. Two of them sort before the first market by
// name.
func TestAggregateIndexFollowsMarketOrder(t *testing.T) {
	first, second := hydrate.Owner{Namespace: "shop", Source: "main"}, hydrate.Owner{Namespace: "annex", Source: "main"}
	third := hydrate.Owner{Namespace: "bazaar", Source: "main"}
	store := openStore(t, t.TempDir(), nil)
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{Markets: []string{"shop", "annex", "bazaar"}})
	publishAll(t, store, newSemanticPublication(t, third, "web", "99.0.0"), newSemanticPublication(t, second, "web", "1.0.0"), newSemanticPublication(t, second, "db", "1.0.0"))
	before := map[string]map[string]string{
		"annex_main_web": {"1.0.0": "annex/main web 1.0.0"}, "annex_main_db": {"1.0.0": "annex/main db 1.0.0"},
		"bazaar_main_web": {"99.0.0": "bazaar/main web 99.0.0"},
	}
	for _, path := range []string{"/index.yaml", "/static-index.yaml", "/charts/index.yaml"} {
		gomega.NewWithT(t).Expect(listEntries(t, handler, path)).To(gomega.Equal(before), path+": no other market gets the plain name")
	}
	publishAll(t, store, newSemanticPublication(t, first, "web", "1.0.0"), newSemanticPublication(t, first, "web", "0.9.0"))
	before["web"] = map[string]string{"1.0.0": "shop/main web 1.0.0", "0.9.0": "shop/main web 0.9.0"}
	for _, path := range []string{"/index.yaml", "/static-index.yaml", "/charts/index.yaml"} {
		gomega.NewWithT(t).Expect(listEntries(t, handler, path)).To(gomega.Equal(before), path)
	}

	for why, c := range map[string]struct {
		path, want string
		header     []string
	}{
		"plain name":                            {"/charts/web-1.0.0.tgz", "shop/main web 1.0.0", nil},
		"plain name, version of another source": {"/charts/web-99.0.0.tgz", "", nil},
		"plain name, app of another source":     {"/charts/db-1.0.0.tgz", "", nil},
		"qualified name":                        {"/charts/annex_main_web-1.0.0.tgz", "annex/main web 1.0.0", nil},
		"qualified name, version of another":    {"/charts/annex_main_web-99.0.0.tgz", "", nil},
		"source name of three sources":          {"/charts/web-1.0.0.tgz", "shop/main web 1.0.0", []string{"X-Market-Source", "main"}},
		"source name, version of another":       {"/charts/web-99.0.0.tgz", "", []string{"X-Market-Source", "main"}},
		"source name with namespace":            {"/charts/web-99.0.0.tgz", "bazaar/main web 99.0.0", []string{"X-Market-Source", "bazaar/main"}},
		"unknown namespace":                     {"/charts/none_main_web-1.0.0.tgz", "", nil},
		"name with too few parts":               {"/charts/annex_main-1.0.0.tgz", "", nil},
		"values by plain name":                  {"/values/web/1.0.0/values.yaml", "# of web\na: 1\n", nil},
		"values by qualified name":              {"/values/annex_main_db/1.0.0/values.yaml", "# of db\na: 1\n", nil},
		"values of another source's version":    {"/values/web/99.0.0/values.yaml", "", nil},
		"values by plain name of another":       {"/values/db/1.0.0/values.yaml", "", nil},
		"values of a name without entry":        {"/values/annex_main/1.0.0/values.yaml", "", nil},
	} {
		t.Run(why, func(t *testing.T) {
			g := gomega.NewWithT(t)
			answer := getPath(t, handler, c.path, c.header...)
			if c.want == "" {
				g.Expect(answer.Code).To(gomega.Equal(http.StatusNotFound))
				return
			}
			g.Expect(answer.Code).To(gomega.Equal(http.StatusOK))
			g.Expect(answer.Body.String()).To(gomega.Equal(c.want))
		})
	}
}

// TestQualifiedNamesAreUnambiguous has an app and sources whose qualified names would be
// equal with '-' as separator.
func TestQualifiedNamesAreUnambiguous(t *testing.T) {
	g := gomega.NewWithT(t)
	store := openStore(t, t.TempDir(), nil)
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{Markets: []string{"shop", "a", "a-b"}})
	publishAll(t, store,
		newSemanticPublication(t, hydrate.Owner{Namespace: "a", Source: "b-c"}, "d", "1.0.0"), newSemanticPublication(t, hydrate.Owner{Namespace: "a-b", Source: "c"}, "d", "1.0.0"),
		newSemanticPublication(t, hydrate.Owner{Namespace: "a", Source: "b"}, "c-d", "1.0.0"), newSemanticPublication(t, hydrate.Owner{Namespace: "shop", Source: "main"}, "a-b-c-d", "1.0.0"))
	g.Expect(listEntries(t, handler, "/index.yaml")).To(gomega.Equal(map[string]map[string]string{
		"a_b-c_d": {"1.0.0": "a/b-c d 1.0.0"}, "a-b_c_d": {"1.0.0": "a-b/c d 1.0.0"},
		"a_b_c-d": {"1.0.0": "a/b c-d 1.0.0"}, "a-b-c-d": {"1.0.0": "shop/main a-b-c-d 1.0.0"},
	}))
}

// TestHelmPullsEveryEntry uses the helm command to add the aggregate repository, to search
// it, and to pull the same version of an app from two sources.
func TestHelmPullsEveryEntry(t *testing.T) {
	first, second := hydrate.Owner{Namespace: "shop", Source: "main"}, hydrate.Owner{Namespace: "annex", Source: "main"}
	store := openStore(t, t.TempDir(), nil)
	var charts []hydrate.PublishRequest
	for _, owner := range []hydrate.Owner{second, first} {
		archive, err := chart.Pack("web", []chart.File{
			{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\ndescription: of " + owner.Namespace + "\n")},
		})
		gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
		charts = append(charts, newPublicationWith(t, owner, "web", "1.0.0", archive))
	}
	publishAll(t, store, charts...)
	url := listenLocally(t, chartrepo.Handler(store, chartrepo.HandlerOptions{Markets: []string{"shop", "annex"}}))
	for _, client := range []string{"HELM3", "HELM4"} {
		t.Run(client, func(t *testing.T) {
			program := os.Getenv(client)
			if program == "" {
				t.Skip("skipped: " + client + " is not set")
			}
			g, home := gomega.NewWithT(t), t.TempDir()
			helm := func(args ...string) string {
				command := exec.CommandContext(t.Context(), program, args...)
				command.Env = append(os.Environ(), "HELM_CONFIG_HOME="+home, "HELM_CACHE_HOME="+home, "HELM_DATA_HOME="+home)
				out, err := command.CombinedOutput()
				g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
				return string(out)
			}
			helm("repo", "add", "aggregate", url)
			g.Expect(helm("search", "repo", "aggregate/")).To(gomega.And(
				gomega.MatchRegexp(`(?m)^aggregate/web\s+1.0.0`), gomega.MatchRegexp(`(?m)^aggregate/annex_main_web\s+1.0.0`)))
			for _, repository := range []struct{ args []string }{{[]string{"aggregate/"}}, {[]string{"", "--repo", url}}, {[]string{"", "--repo", url + "/charts/"}}} {
				for entry, want := range map[string]string{"web": "of shop", "annex_main_web": "of annex"} {
					args := append([]string{"show", "chart", repository.args[0] + entry, "--version", "1.0.0"}, repository.args[1:]...)
					g.Expect(helm(args...)).To(gomega.ContainSubstring("description: "+want+"\n"), "%v", args)
				}
			}
			g.Expect(helm("pull", "aggregate/annex_main_web", "--untar", "--destination", home)).To(gomega.BeEmpty())
			text, err := os.ReadFile(filepath.Join(home, "web", "Chart.yaml"))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(string(text)).To(gomega.ContainSubstring("of annex"))
			g.Expect(helm("template", "aggregate/annex_main_web", "--generate-name")).NotTo(gomega.ContainSubstring("rror"))
		})
	}
}
