package integration_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// newRegistryHandler returns the handler of an empty registry.
func newRegistryHandler() http.Handler {
	return registry.New(registry.Logger(log.New(io.Discard, "", 0)))
}

// startChartRegistry starts a registry, and returns its host and port.
func startChartRegistry() string {
	GinkgoHelper()
	server := httptest.NewServer(newRegistryHandler())
	DeferCleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// pushChart stores a chart in a registry with the helm command.
func pushChart(ctx context.Context, t *fixture.Tenant, chart fixture.Chart, registry string) {
	GinkgoHelper()
	archive := filepath.Join(GinkgoT().TempDir(), chart.Name+"-"+chart.Version+".tgz")
	Expect(os.WriteFile(archive, chart.Archive(), 0o600)).To(Succeed())
	out, err := runHelm(ctx, t, "push", archive, "oci://"+registry, "--plain-http")
	Expect(err).NotTo(HaveOccurred(), out)
}

var _ = Describe("A source of type OCI", func() {
	It("offers charts that helm push has stored, and follows their tags", func(ctx SpecContext) {
		t := newTenant(ctx)
		charts := startChartRegistry() + "/charts"
		pushChart(ctx, t, siteChart("1.0.0"), charts)
		t.Source = t.CreateSource(ctx, t.Namespace, "charts", "", func(s *v1alpha1.MarketSourceSpec) {
			s.Type, s.Helm, s.MutableVersions = v1alpha1.SourceTypeOCI, nil, v1alpha1.MutableVersionsDeny
			s.OCI = &v1alpha1.OCISource{URL: "oci://" + charts, Charts: []string{"site", "absent"}, Insecure: new(true)}
		})
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		Expect(t.Source.Status.Failures).To(ConsistOf(And(
			HaveField("App", "absent"), HaveField("Reason", v1alpha1.ReasonNotFound),
			HaveField("Message", ContainSubstring("registry returned 404 Not Found")))))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
		Expect(t.Instance(ctx, "site").Status.Version).To(Equal("1.0.0"))

		pushChart(ctx, t, siteChart("1.1.0"), charts)
		t.Sync(ctx)
		Eventually(func() string { return t.App(ctx, "site").Status.SelectedVersion }).WithContext(ctx).Should(Equal("1.1.0"))
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "site")
		Expect(t.Instance(ctx, "site").Status.Version).To(Equal("1.1.0"))

		pushChart(ctx, t, siteChart("1.0.0").With("1.0.0", fixture.Files{"README.md": "moved\n"}), charts)
		t.Sync(ctx)
		t.WaitCondition(ctx, t.App(ctx, "site"), v1alpha1.ConditionFetched, metav1.ConditionFalse, v1alpha1.ReasonMutated)
	})

	It("offers a chart as soon as it is in the catalog of the registry", func(ctx SpecContext) {
		t := newTenant(ctx)
		charts := startChartRegistry() + "/team"
		pushChart(ctx, t, siteChart("1.0.0"), charts)
		t.Source = t.CreateSource(ctx, t.Namespace, "charts", "", func(s *v1alpha1.MarketSourceSpec) {
			s.Type, s.Helm = v1alpha1.SourceTypeOCI, nil
			s.OCI = &v1alpha1.OCISource{URL: "oci://" + charts, AllCharts: new(true), Insecure: new(true)}
		})
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")

		added := siteChart("1.0.0")
		added.Name = "added"
		pushChart(ctx, t, added, charts)
		t.Sync(ctx)
		Eventually(func() string { return t.App(ctx, "added").Status.SelectedVersion }).WithContext(ctx).Should(Equal("1.0.0"))
	})

	It("names the registry that does not respond", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Source = t.CreateSource(ctx, t.Namespace, "charts", "", func(s *v1alpha1.MarketSourceSpec) {
			s.Type, s.Helm = v1alpha1.SourceTypeOCI, nil
			s.OCI = &v1alpha1.OCISource{URL: "oci://" + fixture.FreeAddress() + "/site", Insecure: new(true)}
		})
		message := t.WaitCondition(ctx, t.Source, v1alpha1.ConditionReachable, "False", v1alpha1.ReasonFetchFailed)
		Expect(message).To(And(HavePrefix("get oci://127.0.0.1:"), HaveSuffix("connection refused")))
		t.RecordMessage(v1alpha1.ReasonFetchFailed + ": " + message)
	})
})
