package appinstance_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("The claims in status", func() {
	It("have their storage, and follow the data policy and the operations", func() {
		b := newInstanceFixture()
		content := configMapFiles()
		content["templates/claim.yaml"] = claimTemplate
		b.PublishVersion("1.0.0", content)
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "1.0.0" })
		b.expectReady("1.0.0", 1)
		claim := v1alpha1.VolumeClaim{Name: "mine-data", Storage: "1Gi", OnRemoval: v1alpha1.ClaimRetained}
		Expect(b.instance.Status.Claims).To(Equal([]v1alpha1.VolumeClaim{claim}))
		b.expectNoWrites()

		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DataPolicy = v1alpha1.DataDelete })
		b.expectReady("1.0.0", 1)
		claim.OnRemoval = v1alpha1.ClaimDeleted
		Expect(b.instance.Status.Claims).To(Equal([]v1alpha1.VolumeClaim{claim}))

		b.PublishVersion("1.1.0", configMapFiles())
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = "1.1.0" })
		b.expectReady("1.1.0", 2)
		Expect(b.instance.Status.Claims).To(BeEmpty(), "the version has no claim")

		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.PinnedRevision = 1 })
		b.expectReady("1.0.0", 3)
		Expect(b.instance.Status.Claims).To(Equal([]v1alpha1.VolumeClaim{{Name: "mine-data", OnRemoval: v1alpha1.ClaimDeleted}}))

		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateUninstalled })
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.instance.Status.Claims).To(BeEmpty())
	})
})
