package integration_test

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A chart that depends on a published chart of another source", func() {
	It("is published with it, if all namespaces that can use the chart can use the other source", func(ctx SpecContext) {
		t := newMarketTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(partChart("1.2.0"), partChart("2.0.0"))
		parts := t.CreateSource(ctx, t.Namespace, "parts", repository.URL)
		t.WaitTrue(ctx, parts, v1alpha1.ConditionReady)
		url := parts.Status.RepositoryURL

		By("a source that is shared, and another one that is not")
		shared := fixture.NewRepository()
		shared.Add(withDependency(siteChart("1.0.0"), "part", "1.x", url))
		t.AddSource(ctx, shared, func(s *v1alpha1.MarketSourceSpec) {
			s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}
		})
		waitApp(ctx, t, "site")
		app := t.App(ctx, "site")
		message := t.WaitCondition(ctx, app, v1alpha1.ConditionFetched, "False", v1alpha1.ReasonNotFound)
		Expect(message).To(HaveSuffix(`dependency "part" 1.x: source "parts" in namespace "` + t.Namespace +
			`" has no listed chart with this name, or is not shared with all namespaces that can use source "charts"`))
		t.RecordMessage(v1alpha1.ReasonNotFound + ": " + message)

		By("sharing the other source")
		t.Patch(ctx, parts, func() { parts.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll} })
		t.WaitTrue(ctx, app, v1alpha1.ConditionReady)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		folder := pullChart(ctx, t, "site")
		Expect(filepath.Join(folder, "charts", "part-1.2.0.tgz")).To(BeARegularFile())
		lock, err := os.ReadFile(filepath.Join(folder, "Chart.lock"))
		Expect(err).NotTo(HaveOccurred())
		Expect(string(lock)).To(And(ContainSubstring("repository: "+url), ContainSubstring("version: 1.2.0")))

		By("the same URL in a namespace that is no market, and one of a source that does not exist")
		tenant := newTenant(ctx)
		private := fixture.NewRepository()
		absent := siteChart("1.0.0")
		absent.Name = "absent"
		private.Add(withDependency(siteChart("1.0.0"), "part", "2.0.0", url), withDependency(absent, "part", "1.x", strings.Replace(url, "/parts", "/none", 1)))
		tenant.AddSource(ctx, private)
		waitApp(ctx, tenant, "absent")
		tenant.WaitCondition(ctx, tenant.App(ctx, "absent"), v1alpha1.ConditionFetched, "False", v1alpha1.ReasonNotFound)
		tenant.WaitTrue(ctx, tenant.App(ctx, "site"), v1alpha1.ConditionReady)
		tenant.Succeed(ctx, v1alpha1.ActionInstall, "site")
		Expect(tenant.Names(ctx, "configmaps")).To(ContainElement("site-part"))

		By("deleting the other source")
		digest := t.App(ctx, "site").Status.Versions[0].Digest
		Expect(t.Client.Delete(ctx, parts)).To(Succeed())
		t.Sync(ctx)
		Expect(t.App(ctx, "site").Status.Versions[0].Digest).To(Equal(digest))
		Expect(filepath.Join(pullChart(ctx, t, "site"), "charts", "part-1.2.0.tgz")).To(BeARegularFile())
	})
})
