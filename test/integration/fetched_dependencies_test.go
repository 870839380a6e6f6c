package integration_test

import (
	"context"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// withDependency returns a chart that depends on another chart in a repository.
func withDependency(chart fixture.Chart, name, versions, repository string) fixture.Chart {
	return chart.With(chart.Version, fixture.Files{"Chart.yaml": "apiVersion: v2\nname: " + chart.Name + "\nversion: " + chart.Version +
		"\ndependencies:\n- {name: " + name + ", version: " + versions + ", repository: \"" + repository + "\"}\n"})
}

// partChart is a chart that others depend on.
func partChart(version string) fixture.Chart {
	return fixture.Chart{Name: "part", Version: version, Files: fixture.Files{
		"templates/part.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-part}\n",
	}}
}

// pullChart pulls and unpacks a published chart, and returns its folder.
func pullChart(ctx context.Context, t *fixture.Tenant, chart string) string {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	out, err := runHelm(ctx, t, "pull", chart, "--repo", t.Source.Status.RepositoryURL, "--untar", "--untardir", folder)
	Expect(err).NotTo(HaveOccurred(), out)
	return filepath.Join(folder, chart)
}

var _ = Describe("A chart without its dependencies", func() {
	It("is published with them, for helm and for tenants", func(ctx SpecContext) {
		t := newMarketTenant(ctx)
		dependency := partChart("1.2.0")
		other := fixture.NewRepository()
		other.Add(dependency, dependency.With("2.0.0", nil))
		repository := fixture.NewRepository()
		repository.Add(withDependency(siteChart("1.0.0"), "part", "1.x", other.URL))
		t.Apply(ctx, `apiVersion: appmarket.io/v1alpha1
kind: MarketSource
metadata: {name: charts}
spec:
  type: Helm
  helm: {url: "`+repository.URL+`"}
  allowedNamespaces: {from: All}
`)
		t.Source = &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "charts"}}
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)

		for _, helm := range []string{"HELM3", "HELM4"} {
			command := fixture.NewHelm(t.Cluster, helm)
			folder := pullChart(ctx, t, "site")
			rendered, err := command.TryRun(ctx, "template", "site", folder)
			Expect(err).NotTo(HaveOccurred(), rendered)
			Expect(rendered).To(ContainSubstring("# Source: site/charts/part/"))

			By("building the dependencies from the lock file that was published")
			command.Run(ctx, "repo", "add", "parts", other.URL)
			Expect(os.RemoveAll(filepath.Join(folder, "charts"))).To(Succeed())
			built, err := command.TryRun(ctx, "dependency", "build", folder)
			Expect(err).NotTo(HaveOccurred(), built)
			Expect(filepath.Join(folder, "charts", "part-1.2.0.tgz")).To(BeAnExistingFile())
		}
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
	})

	It("names the dependency that cannot be fetched, and continues when it can", func(ctx SpecContext) {
		t := newTenant(ctx)
		other := fixture.NewRepository()
		other.Handle("/index.yaml", fixture.Status(502))
		repository := fixture.NewRepository()
		repository.Add(withDependency(siteChart("1.0.0"), "part", "1.x", other.URL))
		t.Source = t.CreateSource(ctx, t.Namespace, "charts", repository.URL)
		app := &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "charts.site"}}
		Eventually(func() error { return t.Client.Get(ctx, client.ObjectKeyFromObject(app), app) }).WithContext(ctx).Should(Succeed())
		message := t.WaitCondition(ctx, app, v1alpha1.ConditionFetched, "False", v1alpha1.ReasonFetchFailed)
		Expect(message).To(ContainSubstring(`dependency "part" 1.x: get ` + other.URL + "/index.yaml: server returned 502"))

		dependency := partChart("1.2.0")
		other.Add(dependency)
		t.WaitTrue(ctx, app, v1alpha1.ConditionReady)
	})
})
