package hostile_test

import (
	. "github.com/onsi/ginkgo/v2"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// priceFile is the file with the price of a paid product.
var priceFile = fixture.Files{"price.yaml": "developer: shop.example.com\npaid: {product_id: victim-paid}\n"}

var _ = DescribeTable("An app with a price for one version", func(ctx SpecContext, version string, free ...string) {
	t := newTenant(ctx)
	charts := []fixture.Chart{newChart(nil).With(version, priceFile)}
	for _, each := range free {
		charts = append(charts, newChart(nil).With(each, nil))
	}
	t.Offer(ctx, charts...)
	runAttack(ctx, func() string {
		return installFails(ctx, t, v1alpha1.ReasonInputRequired, fixture.Version(version), func(s *v1alpha1.AppInstallTaskSpec) {
			s.OnMissingInput = v1alpha1.MissingInputFail
		})
	})
},
	Entry("is not installed without a credential if it is an old version", "1.0.0", "2.0.0"),
	Entry("is not installed without a credential if it is a prerelease", "3.0.0-rc.1", "2.0.0"),
)
