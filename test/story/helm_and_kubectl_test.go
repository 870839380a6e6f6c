package story_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// pullDigest downloads a chart and returns its digest in the format of an index.
func pullDigest(ctx context.Context, helm *fixture.Helm, args ...string) string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	helm.Run(ctx, append([]string{"pull", "--destination", dir}, args...)...)
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	Expect(err).NotTo(HaveOccurred())
	Expect(archives).To(HaveLen(1))
	archive, err := os.ReadFile(archives[0])
	Expect(err).NotTo(HaveOccurred())
	sum := sha256.Sum256(archive)
	return hex.EncodeToString(sum[:])
}

// indexEntry is the index entry of one version of a chart.
type indexEntry struct {
	Version string
	Digest  string
	URLs    []string
}

// fetchIndexEntry returns the entry of a chart version, parsed only by the format of Helm indexes.
func fetchIndexEntry(ctx context.Context, url, chart, version string, headers ...string) indexEntry {
	GinkgoHelper()
	status, text := fixture.Ask(ctx, url, headers...)
	Expect(status).To(Equal(http.StatusOK))
	var index struct{ Entries map[string][]indexEntry }
	Expect(yaml.Unmarshal(text, &index)).To(Succeed())
	for _, p := range index.Entries[chart] {
		if p.Version == version {
			Expect(p.URLs).NotTo(BeEmpty())
			return p
		}
	}
	Fail(url + " has no " + chart + " " + version)
	return indexEntry{}
}

var _ = Describe("A helm user", Ordered, ContinueOnFailure, func() {
	var source *v1alpha1.MarketSource
	BeforeAll(func(ctx SpecContext) { source = createSampleSource(ctx, createNamespace(ctx, "market")) })

	DescribeTable("uses the repository without special settings", func(ctx SpecContext, variable, version string) {
		helm := fixture.NewHelm(cluster, variable)
		Expect(helm.Run(ctx, "version", "--short")).To(HavePrefix(version))
		repository := source.Status.RepositoryURL

		helm.Run(ctx, "repo", "add", "samples", repository)
		var found []struct{ Name, Version string }
		Expect(json.Unmarshal([]byte(helm.Run(ctx, "search", "repo", "samples", "--versions", "-o", "json")), &found)).To(Succeed())
		Expect(found).To(ContainElements(
			struct{ Name, Version string }{"samples/hello", "1.1.0"},
			struct{ Name, Version string }{"samples/hello", "1.0.0"},
			struct{ Name, Version string }{"samples/wiki", "2.0.1"},
		))
		Expect(helm.Run(ctx, "search", "repo", "samples/broken")).To(ContainSubstring("No results found"))

		offered := fetchIndexEntry(ctx, repository+"/index.yaml", "hello", "1.1.0")
		Expect(pullDigest(ctx, helm, "samples/hello")).To(Equal(offered.Digest), "the newest stable version")
		Expect(pullDigest(ctx, helm, "samples/hello", "--version", "1.0.0")).
			To(Equal(fetchIndexEntry(ctx, repository+"/index.yaml", "hello", "1.0.0").Digest))

		t := newTenant(ctx, source)
		helm.Run(ctx, "install", "greeting", "samples/hello", "--namespace", t.Namespace, "--wait", "--set", "greeting=from helm")
		Expect(t.deployments(ctx)).To(HaveLen(1))
		Expect(helm.Run(ctx, "list", "--namespace", t.Namespace, "--short")).To(Equal("greeting\n"))
		helm.Run(ctx, "uninstall", "greeting", "--namespace", t.Namespace, "--wait")
		Expect(t.listLeftovers(ctx)).To(BeEmpty())

		By("using the index of all shared sources")
		// In the joined index, only apps of the first market have unprefixed names.
		joined := source.Namespace + "_" + source.Name + "_hello"
		helm.Run(ctx, "repo", "add", "all", defaultOperator.URL)
		Expect(pullDigest(ctx, helm, "all/"+joined, "--version", "1.1.0")).
			To(Equal(fetchIndexEntry(ctx, defaultOperator.URL+"/index.yaml", joined, "1.1.0").Digest))

		By("using the index that reads headers")
		picked := fetchIndexEntry(ctx, defaultOperator.URL+"/static-index.yaml", "hello", "1.1.0",
			"X-Market-User", source.Namespace, "X-Market-Source", source.Name)
		Expect(picked).To(Equal(offered))
		flat := fetchIndexEntry(ctx, defaultOperator.URL+"/static-index.yaml", joined, "1.1.0")
		Expect(flat.Digest).To(Equal(offered.Digest))
		Expect(pullDigest(ctx, helm, defaultOperator.URL+"/"+flat.URLs[0])).To(Equal(offered.Digest))
	},
		Entry("with Helm 3", "HELM3", "v3.22."),
		Entry("with Helm 4", "HELM4", "v4.3."),
	)

	It("reads a release that a task installed", func(ctx SpecContext) {
		helm := fixture.NewHelm(cluster, "HELM3")
		t := newTenant(ctx, source)
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionInstall, "hello", withVersion("1.0.0")))
		Expect(helm.Run(ctx, "status", "hello", "--namespace", t.Namespace)).To(ContainSubstring("STATUS: deployed"))
		Expect(helm.Run(ctx, "get", "manifest", "hello", "--namespace", t.Namespace)).To(ContainSubstring("kind: Deployment"))
	})
})

var _ = Describe("A kubectl user", Ordered, func() {
	var source *v1alpha1.MarketSource
	BeforeAll(func(ctx SpecContext) { source = createSampleSource(ctx, createNamespace(ctx, "market")) })

	It("waits for conditions, and lists all kinds at once", func(ctx SpecContext) {
		runKubectl(ctx, "wait", "--for=condition=Ready", "marketsource/samples", "-n", source.Namespace, "--timeout=60s")
		runKubectl(ctx, "wait", "--for=condition=Ready", "ainf", "samples.hello", "samples.wiki", "-n", source.Namespace, "--timeout=60s")
		t := newTenant(ctx, source)
		task := t.Task(ctx, v1alpha1.ActionInstall, "hello", withVersion("1.0.0"))
		runKubectl(ctx, "wait", "--for=condition=Succeeded", "atask/"+task.Name, "-n", t.Namespace, "--timeout=60s")
		runKubectl(ctx, "wait", "--for=condition=Ready", "ainst/hello", "-n", t.Namespace, "--timeout=60s")

		offers := tableLines(runKubectl(ctx, "get", "market", "-n", source.Namespace))
		Expect(offers).To(ContainElements(
			HavePrefix("NAME TYPE READY APPS SERVED FAILED AGE STATUS"),
			MatchRegexp(`^marketsource.appmarket.io/samples Helm True 8 7 1 \S+ 7 of 8 apps served`),
			HavePrefix("NAME TITLE VERSION APP VERSION READY IMAGES AGE STATUS"),
			MatchRegexp(`^appinfo.appmarket.io/samples.hello \S+ 1.1.0 \S+ True 1 `),
			MatchRegexp(`^appinfo.appmarket.io/samples.broken .*False .*templates/configmap.yaml`),
		))
		installed := tableLines(runKubectl(ctx, "get", "market", "-n", t.Namespace))
		Expect(installed).To(ContainElements(
			HavePrefix("NAME ACTION APP INSTANCE VERSION SUCCEEDED AGE STATUS"),
			MatchRegexp(`^appinstalltask.appmarket.io/`+task.Name+` Install hello hello 1.0.0 True \S+ running version 1.0.0`),
			HavePrefix("NAME APP VERSION READY UPDATE AGE STATUS"),
			MatchRegexp(`^appinstance.appmarket.io/hello hello 1.0.0 True 1.1.0 \S+ running version 1.0.0`),
		))
	})

	DescribeTable("reads the descriptions of kinds and fields", func(ctx SpecContext, kind, says, field, fieldSays string) {
		explained := tableLines(runKubectl(ctx, "explain", kind))
		Expect(explained).To(ContainElements("GROUP: appmarket.io", "KIND: "+kind, HavePrefix(says)))
		Expect(tableLines(runKubectl(ctx, "explain", kind+"."+field))).To(ContainElement(HavePrefix(fieldSays)))
	},
		Entry(nil, "MarketSource", "MarketSource specifies where apps come from", "spec.helm.url", "url specifies the URL of the directory"),
		Entry(nil, "AppInfo", "AppInfo is an app of a MarketSource", "spec.offers", "offers are the versions to hydrate"),
		Entry(nil, "AppInstance", "AppInstance is an installation of an app", "spec.dataPolicy", "dataPolicy specifies whether"),
		Entry(nil, "AppInstallTask", "AppInstallTask requests one operation", "spec.onMissingInput", "onMissingInput specifies how"),
	)
})

// tableLines returns the lines of a table with single spaces between the columns.
func tableLines(table string) []string {
	var lines []string
	for line := range strings.Lines(table) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}
