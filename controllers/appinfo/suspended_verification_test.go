package appinfo_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/test/signing"
)

var _ = Describe("A suspended app of a source that requires signatures", func() {
	It("reads the trust root only while it has a version", func() {
		b, key := newAppFixture(), signing.NewProvenanceKey(GinkgoTB())
		b.addVersion("1.0.0", configMapFiles())
		b.signVersion("1.0.0", key)
		b.writeListing()
		b.requireProvenance(key)
		readings, readPolicy := 0, b.reconciler.Policy
		b.reconciler.Policy = func(ctx context.Context, source *v1alpha1.MarketSource) (*hydrate.SignaturePolicy, error) {
			readings++
			return readPolicy(ctx, source)
		}
		suspend := func(suspended *bool) {
			b.editApp(func(app *v1alpha1.AppInfo) { app.Spec.Suspend = suspended })
		}
		suspend(new(true))
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(readings).To(BeZero())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("Unknown " + v1alpha1.ReasonSuspended))

		suspend(nil)
		b.expectServed("1.0.0")
		suspend(new(true))
		readings = 0
		_, err = b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(readings).To(Equal(1))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True " + v1alpha1.ReasonReady))

		b.writeKeyring(signing.NewProvenanceKey(GinkgoTB()))
		for range 2 {
			_, err = b.reconcileApp()
			Expect(err).NotTo(HaveOccurred())
			Expect(b.repositoryVersions()).To(BeEmpty())
			Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("Unknown " + v1alpha1.ReasonSuspended))
		}
		Expect(readings).To(Equal(2), "no version is left")
	})
})
