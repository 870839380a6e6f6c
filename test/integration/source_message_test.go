package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A source that cannot be synced", func() {
	type change = func(*v1alpha1.MarketSourceSpec)

	DescribeTable("reports the problem and the solution:", func(ctx SpecContext, reason, says string, set change) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(siteChart("1.0.0"))
		t.AddSource(ctx, repository, set)
		Expect(t.StalledFor(ctx, reason, t.Source)).To(ContainSubstring(says))
	},
		Entry("an invalid pattern", v1alpha1.ReasonInvalidSpec, `spec.filter.include[0]: "[a" is not a pattern`,
			func(s *v1alpha1.MarketSourceSpec) { s.Filter = &v1alpha1.AppFilter{Include: []string{"[a"}} }),
		Entry("a URL without an index", v1alpha1.ReasonNotFound, "server returned 404 Not Found: check the URL",
			func(s *v1alpha1.MarketSourceSpec) { s.Helm.URL += "/nowhere" }),
		Entry("a link-local address", v1alpha1.ReasonNotAllowed, "use another host",
			func(s *v1alpha1.MarketSourceSpec) { s.Helm.URL = "http://169.254.10.20/" }),
		Entry("a private address", v1alpha1.ReasonNotAllowed, "--market-namespaces",
			func(s *v1alpha1.MarketSourceSpec) { s.Helm.URL = "http://10.20.30.40/" }),
		Entry("a Service of the cluster", v1alpha1.ReasonNotAllowed, "--market-namespaces",
			func(s *v1alpha1.MarketSourceSpec) { s.Helm.URL = "http://consul.team.svc/" }),
		Entry("a folder, for a source outside of a market", v1alpha1.ReasonNotMarket, "--market-namespaces",
			func(s *v1alpha1.MarketSourceSpec) {
				s.Type, s.Helm, s.Directory = v1alpha1.SourceTypeDirectory, nil, &v1alpha1.DirectorySource{Path: "/etc"}
			}),
	)

	It("reports that its filter excludes all apps", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(siteChart("1.0.0"), storeChart("1.0.0"))
		t.AddSource(ctx, repository, func(s *v1alpha1.MarketSourceSpec) { s.Filter = &v1alpha1.AppFilter{Include: []string{"blog*"}} })
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		message := t.WaitCondition(ctx, t.Source, v1alpha1.ConditionReady, "True", v1alpha1.ReasonReady)
		Expect(message).To(Equal("spec.filter.include matches no app of the source (2 apps offered); correct the patterns"))
		t.RecordMessage(message)
	})
})
