package chart_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

const charts = "https://charts.example"

// chartWith returns the files of a chart with dependencies, given as lines of Chart.yaml.
func chartWith(name string, dependencies ...string) []chart.File {
	return filesOf(map[string]string{"Chart.yaml": chartYAML(name, dependencies...), "values.yaml": "name: " + name + "\n"})
}

func chartYAML(name string, dependencies ...string) string {
	text := "apiVersion: v2\nname: " + name + "\nversion: 1.2.3\n"
	if len(dependencies) > 0 {
		text += "dependencies:\n- {" + strings.Join(dependencies, "}\n- {") + "}\n"
	}
	return text
}

// repositoryOf is a repository with charts by name, which counts the rounds in which charts are
// fetched.
type repositoryOf struct {
	charts map[string][]chart.File
	rounds int
}

// vendor adds dependencies in rounds, as package hydrate does.
func (r *repositoryOf) vendor(files []chart.File, v chart.Vendoring) ([]chart.File, error) {
	for {
		complete, missing, err := v.AddDependencies(files)
		if err != nil || len(missing) == 0 {
			return complete, err
		}
		r.rounds++
		for _, each := range missing {
			if r.charts[each.Name] == nil {
				return nil, fmt.Errorf("no chart %+v", each)
			}
			archive, err := chart.Pack(each.Name, r.charts[each.Name])
			if err != nil {
				return nil, err
			}
			v.Fetched = append(v.Fetched, chart.FetchedDependency{For: each, Archive: archive})
		}
	}
}

func namesOf(files []chart.File) []string {
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names
}

func TestAddDependencies(t *testing.T) {
	g := NewWithT(t)
	repository := &repositoryOf{charts: map[string][]chart.File{
		"cache": chartWith("cache"), "database": chartWith("database", `name: common, version: 1.x, repository: "`+charts+`"`), "common": chartWith("common"),
	}}
	files := chartWith("web",
		`name: cache, version: ">=1.0.0 <2", repository: "`+charts+`", condition: cache.enabled`,
		`name: cache, version: 1.2.3, repository: "`+charts+`", alias: sessions`,
		`name: database, version: 1.2.3, repository: "`+charts+`/"`)
	complete, err := repository.vendor(files, chart.Vendoring{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(namesOf(complete)).To(Equal([]string{
		"Chart.lock", "Chart.yaml", "charts/cache-1.2.3.tgz", "charts/database-1.2.3.tgz", "values.yaml",
	}))
	g.Expect(repository.rounds).To(Equal(2), "the charts of one level are fetched together")

	archive, err := chart.Pack("cache", repository.charts["cache"])
	g.Expect(err).NotTo(HaveOccurred())
	vendored, _ := chart.FindFile(complete, "charts/cache-1.2.3.tgz")
	g.Expect(vendored).To(Equal(archive), "the bytes of the repository")
	nested, _ := chart.FindFile(complete, "charts/database-1.2.3.tgz")
	unpacked, err := chart.Unpack(nested)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(namesOf(unpacked)).To(ContainElements("charts/common-1.2.3.tgz", "Chart.lock"))

	lock, _ := chart.FindFile(complete, "Chart.lock")
	g.Expect(string(lock)).To(And(
		ContainSubstring("- name: cache\n  repository: https://charts.example\n  version: 1.2.3\n"), ContainSubstring("digest: sha256:"),
		ContainSubstring(`generated: "0001-01-01T00:00:00Z"`)))
	again, err := (&repositoryOf{charts: repository.charts}).vendor(files, chart.Vendoring{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(chart.TreeDigest(again)).To(Equal(chart.TreeDigest(complete)))
	complete, missing, err := chart.Vendoring{}.AddDependencies(complete)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(missing).To(BeEmpty())
	g.Expect(complete).To(Equal(again), "a complete chart is not changed")
}

// TestLockOfHelm has a lock file that "helm dependency update" wrote.
func TestLockOfHelm(t *testing.T) {
	lock := "dependencies:\n- name: cache\n  repository: https://charts.example\n  version: 1.2.3\ngenerated: \"2026-11-29T09:00:00Z\"\n"
	lock += "digest: sha256:DIGEST\n"
	files := map[string]string{"Chart.yaml": chartYAML("web", `name: cache, version: 1.x, repository: "https://charts.example", tags: [fast]`)}
	repository := &repositoryOf{charts: map[string][]chart.File{"cache": chartWith("cache")}}
	g := NewWithT(t)
	// The digest of the lock file that is written is compared with Helm in test/integration.
	complete, err := repository.vendor(filesOf(files), chart.Vendoring{})
	g.Expect(err).NotTo(HaveOccurred())
	written, _ := chart.FindFile(complete, "Chart.lock")
	_, digest, _ := strings.Cut(string(written), "sha256:")
	digest, _, _ = strings.Cut(digest, "\n")

	files["Chart.lock"] = strings.Replace(lock, "DIGEST", digest, 1)
	_, missing, err := chart.Vendoring{}.AddDependencies(filesOf(files))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(missing).To(Equal([]chart.Dependency{{Name: "cache", Version: "1.2.3", Repository: charts}}), "the version in the lock file")
	complete, err = repository.vendor(filesOf(files), chart.Vendoring{})
	g.Expect(err).NotTo(HaveOccurred())
	kept, _ := chart.FindFile(complete, "Chart.lock")
	g.Expect(string(kept)).To(Equal(files["Chart.lock"]), "the lock file is kept")

	for why, change := range map[string][2]string{
		"another version": {"version: 1.2.3", "version: 1.2.4"}, "another repository": {"charts.example", "other.example"},
		"another chart": {"name: cache", "name: other"}, "another digest": {digest, strings.Repeat("0", 64)}, "no dependency": {"- name: cache\n  repository: https://charts.example\n  version: 1.2.3\n", ""},
	} {
		changed := maps.Clone(files)
		changed["Chart.lock"] = strings.Replace(files["Chart.lock"], change[0], change[1], 1)
		_, _, err := chart.Vendoring{}.AddDependencies(filesOf(changed))
		g.Expect(err).To(MatchError(ContainSubstring(`Chart.lock does not belong to the dependencies of chart "web"`)), why)
		g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidChart), why)
	}
}

func TestDependenciesOfHelm2(t *testing.T) {
	g := NewWithT(t)
	files := filesOf(map[string]string{
		"Chart.yaml":        "name: web\nversion: 1.2.3\n",
		"requirements.yaml": "dependencies:\n- {name: cache, version: 1.x, repository: '" + charts + "'}\n",
	})
	complete, err := (&repositoryOf{charts: map[string][]chart.File{"cache": chartWith("cache")}}).vendor(files, chart.Vendoring{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(namesOf(complete)).To(ContainElements("charts/cache-1.2.3.tgz", "requirements.lock"))
}

func TestVendoredDependenciesAreKept(t *testing.T) {
	archive, err := chart.Pack("cache", chartWith("cache"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for why, vendored := range map[string]map[string]string{
		"an archive": {"charts/cache-1.2.3.tgz": string(archive)}, "an archive with another name": {"charts/any.tgz": string(archive)},
		"a folder": {"charts/cache/Chart.yaml": chartYAML("cache")}, "a folder with another name": {"charts/other/Chart.yaml": chartYAML("cache")},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			vendored["Chart.yaml"] = chartYAML("web", `name: cache, version: 9.x, repository: "`+charts+`"`)
			files := filesOf(vendored)
			complete, missing, err := chart.Vendoring{}.AddDependencies(files)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(missing).To(BeEmpty())
			g.Expect(complete).To(Equal(files))
		})
	}
}

func TestFileDependencies(t *testing.T) {
	g := NewWithT(t)
	inner := map[string]string{
		"Chart.yaml":         chartYAML("web", "name: a, version: 1.x, repository: 'file://parts/a'"),
		"parts/a/Chart.yaml": chartYAML("a", "name: b, version: 1.x, repository: 'file://../b'"), "parts/b/Chart.yaml": chartYAML("b"),
	}
	complete, missing, err := chart.Vendoring{}.AddDependencies(filesOf(inner))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(missing).To(BeEmpty(), "folders of the same chart")
	g.Expect(namesOf(complete)).To(ContainElement("charts/a-1.2.3.tgz"))

	sibling := chartWith("web", "name: common, version: 1.x, repository: 'file://../common'")
	_, missing, err = chart.Vendoring{Base: "web"}.AddDependencies(sibling)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(missing).To(Equal([]chart.Dependency{{Name: "common", Version: "1.x", Repository: "file://../common", Base: "web"}}))
}

func TestUnitsHaveDependencies(t *testing.T) {
	g := NewWithT(t)
	files := filesOf(map[string]string{"Chart.yaml": chartYAML("web"), "server/Chart.yaml": chartYAML("server", `name: cache, version: 1.x, repository: "`+charts+`"`)})
	complete, err := (&repositoryOf{charts: map[string][]chart.File{"cache": chartWith("cache")}}).vendor(files, chart.Vendoring{Dirs: []string{"server"}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(namesOf(complete)).To(Equal([]string{"Chart.yaml", "server/Chart.lock", "server/Chart.yaml", "server/charts/cache-1.2.3.tgz"}))
}

func TestAddDependenciesRefuses(t *testing.T) {
	endless := map[string][]chart.File{}
	for i := range 20 {
		endless[fmt.Sprint("level", i)] = chartWith(fmt.Sprint("level", i), fmt.Sprintf(`name: level%d, version: "*", repository: "%s"`, i+1, charts))
	}
	var many []string
	for i := range chart.MaxDependencies + 1 {
		many = append(many, fmt.Sprintf(`name: c%d, version: "*", repository: "%s"`, i, charts))
	}
	first := chartWith("first", `name: second, version: 1.x, repository: "`+charts+`"`)
	second := chartWith("second", `name: first, version: 1.x, repository: "`+charts+`"`)
	for _, c := range []struct {
		why    string
		files  []chart.File
		charts map[string][]chart.File
		reason string
		says   string
	}{
		{"a cycle", first, map[string][]chart.File{"first": first, "second": second}, v1alpha1.ReasonInvalidChart, "cycle: first → second → first;"},
		{"a cycle below the app", chartWith("web", `name: first, version: 1.x, repository: "`+charts+`"`), map[string][]chart.File{"first": first, "second": second}, v1alpha1.ReasonInvalidChart, "cycle: web → first → second → first;"},
		{"a chart in itself", filesOf(map[string]string{"Chart.yaml": chartYAML("web", "name: a, version: 1.x, repository: 'file://a'"), "a/Chart.yaml": chartYAML("a", "name: a, version: 1.x, repository: 'file://../a'")}), nil, v1alpha1.ReasonInvalidChart, "cycle: web → a → a;"},
		{"too deep", chartWith("web", `name: level0, version: "*", repository: "`+charts+`"`), endless, v1alpha1.ReasonLimitExceeded, "more than 5 levels deep: web → level0 → level1 → level2 → level3 → level4"},
		{"too many", chartWith("web", many...), nil, v1alpha1.ReasonLimitExceeded, "65 dependencies, at most 64"},
		{"a name in the configuration of Helm", chartWith("web", "name: a, version: 1.x, repository: '@stable'"), nil, v1alpha1.ReasonInvalidChart, `repository "@stable" is a name`},
		{"an alias in the configuration of Helm", chartWith("web", "name: a, version: 1.x, repository: 'alias:stable'"), nil, v1alpha1.ReasonInvalidChart, "replace it by the URL"},
		{"another scheme", chartWith("web", "name: a, version: 1.x, repository: 'ftp://charts.example'"), nil, v1alpha1.ReasonInvalidChart, "must be a URL with the scheme"},
		{"an absolute path", chartWith("web", "name: a, version: 1.x, repository: 'file:///etc'"), nil, v1alpha1.ReasonNotAllowed, "outside of the chart"},
		{"a path outside of an archive", chartWith("web", "name: a, version: 1.x, repository: 'file://../a'"), nil, v1alpha1.ReasonNotAllowed, "outside of the chart"},
		{"a folder that is no chart", chartWith("web", "name: a, version: 1.x, repository: 'file://a'"), nil, v1alpha1.ReasonInvalidChart, `no folder "a"`},
		{"an invalid range", chartWith("web", `name: cache, version: newest, repository: "`+charts+`"`), map[string][]chart.File{"cache": chartWith("cache")}, v1alpha1.ReasonInvalidChart, "neither a semantic version"},
		{"another version", chartWith("web", `name: cache, version: 2.x, repository: "`+charts+`"`), map[string][]chart.File{"cache": chartWith("cache")}, v1alpha1.ReasonInvalidChart, `version "1.2.3", which is not in the range "2.x"`},
		{"another chart", chartWith("web", `name: cache, version: 1.x, repository: "`+charts+`"`), map[string][]chart.File{"cache": chartWith("other")}, v1alpha1.ReasonInvalidChart, `has the name "other"`},
		{"no chart", chartWith("web", `name: cache, version: 1.x, repository: "`+charts+`"`), map[string][]chart.File{"cache": filesOf(map[string]string{"README.md": "x"})}, v1alpha1.ReasonInvalidChart, "Chart.yaml not found"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := (&repositoryOf{charts: c.charts}).vendor(c.files, chart.Vendoring{})
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
		})
	}
}
