package integration_test

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("Two sources with the same URL", func() {
	It("read a new version of a chart once", func(ctx SpecContext) {
		tenants := []*fixture.Tenant{newMarketTenant(ctx), newMarketTenant(ctx)}
		repository := tenants[0].Offer(ctx, siteChart("1.0.0"))
		tenants[1].AddSource(ctx, repository)
		tenants[1].WaitTrue(ctx, tenants[1].Source, v1alpha1.ConditionReady)
		expectVersion := func(version string) {
			for _, t := range tenants {
				Eventually(func() string { return t.App(ctx, "site").Status.SelectedVersion }).WithContext(ctx).Should(Equal(version))
			}
		}
		expectVersion("1.0.0")

		seen := len(repository.Requests(0))
		repository.Add(siteChart("1.1.0"))
		for _, t := range tenants {
			t.Sync(ctx)
		}
		expectVersion("1.1.0")
		complete := map[string]int{}
		for _, request := range repository.Requests(seen) {
			if request.Status == http.StatusOK {
				complete[request.Path]++
			}
		}
		Expect(complete).To(Equal(map[string]int{"/index.yaml": 1, "/charts/site-1.1.0.tgz": 1}))
	})
})
