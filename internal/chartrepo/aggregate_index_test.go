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

// offered are the archives of one app that several sources offer.
func newSemanticPublication(t *testing.T, owner hydrate.Owner, app, version string) hydrate.Publication {
	t.Helper()
	return newPublicationWith(t, owner, app, version, []byte(owner.Namespace+"/"+owner.Source+" "+app+" "+version))
}

// listed reads the index at a path and returns whose archive each version of each entry is.
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

// TestJoinedIndexHasTheOrderOfTheMarkets has three markets, of which two sort before the
// first one by name, offer an app of the same name, in an older, the same and a newer
// version.
func TestJoinedIndexHasTheOrderOfTheMarkets(t *testing.T) {
	first, second, third := hydrate.Owner{Namespace: "shop", Source: "main"}, hydrate.Owner{Namespace: "annex", Source: "main"}, hydrate.Owner{Namespace: "bazaar", Source: "main"}
	store := openStore(t, t.TempDir(), nil)
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{Markets: []string{"shop", "annex", "bazaar"}})
	publishAll(t, store, newSemanticPublication(t, third, "web", "99.0.0"), newSemanticPublication(t, second, "web", "1.0.0"), newSemanticPublication(t, second, "db", "1.0.0"))
	before := map[string]map[string]string{
		"annex_main_web": {"1.0.0": "annex/main web 1.0.0"}, "annex_main_db": {"1.0.0": "annex/main db 1.0.0"},
		"bazaar_main_web": {"99.0.0": "bazaar/main web 99.0.0"},
	}
	for _, path := range []string{"/index.yaml", "/static-index.yaml", "/charts/index.yaml"} {
		gomega.NewWithT(t).Expect(listEntries(t, handler, path)).To(gomega.Equal(before), path+": no other market has the name while the first one publishes nothing")
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
		"by its name":                           {"/charts/web-1.0.0.tgz", "shop/main web 1.0.0", nil},
		"by its name, a version of another":     {"/charts/web-99.0.0.tgz", "", nil},
		"by its name, an app of another":        {"/charts/db-1.0.0.tgz", "", nil},
		"in full":                               {"/charts/annex_main_web-1.0.0.tgz", "annex/main web 1.0.0", nil},
		"in full, a version of another":         {"/charts/annex_main_web-99.0.0.tgz", "", nil},
		"a source by name, which three have":    {"/charts/web-1.0.0.tgz", "shop/main web 1.0.0", []string{"X-Market-Source", "main"}},
		"its version, which another of it has":  {"/charts/web-99.0.0.tgz", "", []string{"X-Market-Source", "main"}},
		"a source by name and namespace":        {"/charts/web-99.0.0.tgz", "bazaar/main web 99.0.0", []string{"X-Market-Source", "bazaar/main"}},
		"a namespace or a source that is not":   {"/charts/none_main_web-1.0.0.tgz", "", nil},
		"a name with too few parts":             {"/charts/annex_main-1.0.0.tgz", "", nil},
		"the values by the name":                {"/values/web/1.0.0/values.yaml", "# of web\na: 1\n", nil},
		"the values in full":                    {"/values/annex_main_db/1.0.0/values.yaml", "# of db\na: 1\n", nil},
		"the values of another's version":       {"/values/web/99.0.0/values.yaml", "", nil},
		"the values by a name that is in full":  {"/values/db/1.0.0/values.yaml", "", nil},
		"the values of a name that is no entry": {"/values/annex_main/1.0.0/values.yaml", "", nil},
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

// TestNamesInFullCannotBeTaken has an app and sources whose names would make the same name
// with a separator that a name may have.
func TestNamesInFullCannotBeTaken(t *testing.T) {
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

// TestHelmPullsEveryEntry has the helm command add the joined repository, search it and
// pull the same version of an app from two sources.
func TestHelmPullsEveryEntry(t *testing.T) {
	first, second := hydrate.Owner{Namespace: "shop", Source: "main"}, hydrate.Owner{Namespace: "annex", Source: "main"}
	store := openStore(t, t.TempDir(), nil)
	var charts []hydrate.Publication
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
				t.Skip("left out: " + client + " is not set")
			}
			g, home := gomega.NewWithT(t), t.TempDir()
			helm := func(args ...string) string {
				command := exec.CommandContext(t.Context(), program, args...)
				command.Env = append(os.Environ(), "HELM_CONFIG_HOME="+home, "HELM_CACHE_HOME="+home, "HELM_DATA_HOME="+home)
				out, err := command.CombinedOutput()
				g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
				return string(out)
			}
			helm("repo", "add", "joined", url)
			g.Expect(helm("search", "repo", "joined/")).To(gomega.And(
				gomega.MatchRegexp(`(?m)^joined/web\s+1.0.0`), gomega.MatchRegexp(`(?m)^joined/annex_main_web\s+1.0.0`)))
			for _, repository := range []struct{ args []string }{{[]string{"joined/"}}, {[]string{"", "--repo", url}}, {[]string{"", "--repo", url + "/charts/"}}} {
				for entry, want := range map[string]string{"web": "of shop", "annex_main_web": "of annex"} {
					args := append([]string{"show", "chart", repository.args[0] + entry, "--version", "1.0.0"}, repository.args[1:]...)
					g.Expect(helm(args...)).To(gomega.ContainSubstring("description: "+want+"\n"), "%v", args)
				}
			}
			g.Expect(helm("pull", "joined/annex_main_web", "--untar", "--destination", home)).To(gomega.BeEmpty())
			text, err := os.ReadFile(filepath.Join(home, "web", "Chart.yaml"))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(string(text)).To(gomega.ContainSubstring("of annex"))
			g.Expect(helm("template", "joined/annex_main_web", "--generate-name")).NotTo(gomega.ContainSubstring("rror"))
		})
	}
}
