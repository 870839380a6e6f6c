package appinfo_test

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("An app whose chart is lost", func() {
	var b *appFixture
	BeforeEach(func() {
		b = newAppFixture()
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
		b.expectServed("1.0.0")
	})

	It("is not ready while its source does not deliver, and ready when it does", func() {
		b.deleteArchive("1.0.0")
		b.setFailure("1.0.0", http.StatusInternalServerError)
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False FetchFailed"))
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True ProgressingWithRetry"))
		b.expectNoWrites()
		b.setFailure("", 0)
		b.expectServed("1.0.0")
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
	})

	It("says why it cannot be made again", func() {
		b.deleteArchive("1.0.0")
		b.removeVersion("1.0.0")
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False NotFound"))
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True NotFound"))
		b.expectNoWrites()
	})

	It("is not ready while the work goes on", func() {
		b.deleteArchive("1.0.0")
		b.takeEvents()
		b.expectServed("1.0.0")
		Expect(b.takeEvents()).To(HaveExactElements(
			"Warning ChartNotFound the chart of version 1.0.0 is missing from the repository",
			"Normal Ready serving 1.0.0"))
	})

	DescribeTable("is not ready while nothing may be hydrated", func(hold, release func(), reason, message string) {
		hold()
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"), "what is published is served")
		b.deleteArchive("1.0.0")
		_, err = b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal(reason))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("the chart of version 1.0.0 is missing from the repository and cannot be published again: " + message))
		b.expectNoWrites()
		release()
		b.expectServed("1.0.0")
	},
		Entry("for itself",
			func() { b.editApp(func(app *v1alpha1.AppInfo) { app.Spec.Suspend = new(true) }) },
			func() { b.editApp(func(app *v1alpha1.AppInfo) { app.Spec.Suspend = nil }) },
			"Unknown Suspended", "suspended by spec.suspend"),
		Entry("for its source",
			func() { b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.Suspend = new(true) }) },
			func() { b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.Suspend = nil }) },
			"Unknown Suspended", `source "main" is suspended by spec.suspend`),
		Entry("without its source",
			func() { Expect(server.Client.Delete(b.ctx, b.source)).To(Succeed()) },
			func() {
				b.source.ResourceVersion, b.source.UID = "", ""
				server.Create(GinkgoTB(), b.source)
			},
			"Unknown WaitingForSource", `source "main" not found`),
	)

	It("serves the other version meanwhile", func() {
		b.addVersion("1.1.0", configMapFiles())
		b.writeListing()
		b.expectServed("1.1.0", "1.0.0")
		b.deleteArchive("1.1.0")
		b.setFailure("1.1.0", http.StatusInternalServerError)
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(HavePrefix("serving 1.0.0; version 1.1.0: "))
		b.setFailure("", 0)
		b.expectServed("1.1.0", "1.0.0")
	})

	It("no longer lists what its source does not offer any more", func() {
		b.addVersion("1.1.0", configMapFiles())
		b.writeListing()
		b.expectServed("1.1.0", "1.0.0")
		b.removeVersion("1.0.0")
		b.deleteArchive("1.0.0")
		b.writeListing()
		b.expectServed("1.1.0")
	})
})

var _ = Describe("The events of an app", func() {
	It("name each version that is published, and each image that is another", func() {
		b := newAppFixture()
		pod := func(image string) map[string]string {
			return map[string]string{"templates/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: \"" + image + "\"}]}\n"}
		}
		b.addVersion("1.0.0", pod("images.example.invalid/web:1"))
		b.addVersion("1.1.0", pod("images.example.invalid/web:1"))
		b.writeListing()
		b.expectServed("1.1.0", "1.0.0")
		Expect(b.takeEvents()).To(HaveExactElements("Normal Published published versions 1.1.0, 1.0.0"), "which says that the app is ready, too")
		b.addVersion("1.2.0", pod("images.example.invalid/web:2"))
		b.writeListing()
		b.expectServed("1.2.0", "1.1.0", "1.0.0")
		Expect(b.takeEvents()).To(HaveExactElements(
			"Normal Published published version 1.2.0",
			"Normal Analyzed images of version 1.2.0: added images.example.invalid/web:2, removed images.example.invalid/web:1"))
	})
})
