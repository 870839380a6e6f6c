package integration_test

import (
	"context"
	"io"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/repo"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// sharedSource creates a source with the given sharing, and waits until it is Ready.
func sharedSource(ctx context.Context, t *fixture.Tenant, name string, sharing v1alpha1.AllowedNamespaces, charts ...fixture.Chart) {
	GinkgoHelper()
	repository := fixture.NewRepository()
	repository.Add(charts...)
	t.Source = &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: name},
		Spec: v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: repository.URL}, AllowedNamespaces: &sharing,
		},
	}
	Expect(t.Client.Create(ctx, t.Source)).To(Succeed())
	t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
}

// fetchPublished requests a path of the operator's repository.
func fetchPublished(ctx context.Context, path string, header ...string) string {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, suite.URL+path, http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return string(body)
}

// fetchJoinedURLs returns the URLs of each entry of the joined index.
func fetchJoinedURLs(ctx context.Context) map[string][]string {
	GinkgoHelper()
	var index repo.IndexFile
	Expect(yaml.Unmarshal([]byte(fetchPublished(ctx, "/index.yaml")), &index)).To(Succeed())
	urls := map[string][]string{}
	for name, versions := range index.Entries {
		for _, v := range versions {
			urls[name] = append(urls[name], v.URLs...)
		}
	}
	return urls
}

var _ = Describe("A shared source outside of a market", func() {
	const all, selector = v1alpha1.NamespacesFromAll, v1alpha1.NamespacesFromSelector

	DescribeTable("reports the restriction, and is usable only in its own namespace", func(ctx SpecContext, sharing v1alpha1.AllowedNamespaces) {
		team, other := newTenant(ctx), newTenant(ctx)
		sharedSource(ctx, team, "charts", sharing, siteChart("1.0.0"))
		team.RecordMessage(team.WaitCondition(ctx, team.Source, v1alpha1.ConditionAllowedNamespacesIgnored, metav1.ConditionTrue, v1alpha1.ReasonNotMarket))
		other.Source = team.Source
		Expect(other.Fail(ctx, v1alpha1.ReasonRefNotPermitted, v1alpha1.ActionInstall, "site")).NotTo(ContainSubstring("hello"))
		team.Succeed(ctx, v1alpha1.ActionInstall, "site")
	},
		Entry("from All", v1alpha1.AllowedNamespaces{From: all}),
		Entry("from a selector that matches all namespaces", v1alpha1.AllowedNamespaces{From: selector, Selector: &metav1.LabelSelector{}}),
	)

	It("does not take precedence over the charts of a market in the joined repository", func(ctx SpecContext) {
		market := newMarketTenant(ctx)
		name := market.Namespace + "-samples"
		sharedSource(ctx, market, name, v1alpha1.AllowedNamespaces{From: all}, siteChart("1.0.0"))
		entry := market.Namespace + "_" + name + "_site"
		Eventually(fetchJoinedURLs).WithContext(ctx).Should(HaveKey(entry))
		archive := "/charts/" + entry + "-1.0.0.tgz"
		expected := fetchPublished(ctx, "/"+market.Namespace+"/"+name+"/charts/site-1.0.0.tgz")
		Expect(fetchPublished(ctx, archive)).To(Equal(expected))

		By("creating a source with the same name and app, in a namespace that is sorted first")
		attacker := newTenantIn(ctx, cluster.Namespace(ctx, "a-team"))
		forged := siteChart("1.0.0").With("1.0.0", fixture.Files{"values.yaml": "paused: false\ntype: ClusterIP\ntext: forged\n"})
		sharedSource(ctx, attacker, name, v1alpha1.AllowedNamespaces{From: all}, forged, forged.With("99.0.0", nil))
		attacker.WaitCondition(ctx, attacker.Source, v1alpha1.ConditionAllowedNamespacesIgnored, metav1.ConditionTrue, v1alpha1.ReasonNotMarket)
		Expect(fetchPublished(ctx, "/"+attacker.Namespace+"/"+name+"/charts/site-1.0.0.tgz")).NotTo(Equal(expected), "the chart is served for its own namespace")
		Consistently(fetchJoinedURLs, "2s", "500ms").WithContext(ctx).Should(And(
			HaveKeyWithValue(entry, []string{market.Namespace + "/" + name + "/charts/site-1.0.0.tgz"}),
			WithTransform(func(urls map[string][]string) string {
				text, _ := yaml.Marshal(urls)
				return string(text)
			}, Not(ContainSubstring(attacker.Namespace)))))
		Expect(fetchPublished(ctx, archive)).To(Equal(expected))
		Expect(fetchPublished(ctx, "/charts/site-1.0.0.tgz", "X-Market-Source", name)).To(Equal(expected))
		Expect(fetchPublished(ctx, "/charts/site-99.0.0.tgz", "X-Market-Source", name)).To(Equal("not found\n"))
	})

	It("does not affect apps of two markets, which are both listed", func(ctx SpecContext) {
		first, second := newMarketTenant(ctx), newMarketTenant(ctx)
		for i, t := range []*fixture.Tenant{second, first} {
			sharedSource(ctx, t, "main", v1alpha1.AllowedNamespaces{From: all}, siteChart("1.0.0"), siteChart([]string{"9.0.0", "1.1.0"}[i]))
		}
		Eventually(fetchJoinedURLs).WithContext(ctx).Should(And(
			HaveKeyWithValue(first.Namespace+"_main_site", HaveExactElements(HaveSuffix("site-1.1.0.tgz"), HaveSuffix("site-1.0.0.tgz"))),
			HaveKeyWithValue(second.Namespace+"_main_site", HaveExactElements(HaveSuffix("site-9.0.0.tgz"), HaveSuffix("site-1.0.0.tgz")))))
	})
})

var _ = Describe("A source of type Directory", func() {
	It("must be in an allowed directory, also in a market", func(ctx SpecContext) {
		t := newMarketTenant(ctx)
		t.AddSource(ctx, fixture.NewRepository(), func(s *v1alpha1.MarketSourceSpec) {
			s.Type, s.Helm, s.Directory = v1alpha1.SourceTypeDirectory, nil, &v1alpha1.DirectorySource{Path: "/etc"}
		})
		Expect(t.StalledFor(ctx, v1alpha1.ReasonNotAllowed, t.Source)).To(ContainSubstring("--allowed-directories"))
	})
})
