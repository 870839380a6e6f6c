package appinfo_test

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("An app whose chart is lost", func() {
	var b *bench
	BeforeEach(func() {
		b = newBench()
		b.put("1.0.0", page())
		b.list()
		b.served("1.0.0")
	})

	It("is not ready while its source does not deliver, and ready when it does", func() {
		b.lose("1.0.0")
		b.fails("1.0.0", http.StatusInternalServerError)
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("False FetchFailed"))
		Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True ProgressingWithRetry"))
		b.quiet()
		b.fails("", 0)
		b.served("1.0.0")
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True Ready"))
	})

	It("says why it cannot be made again", func() {
		b.lose("1.0.0")
		b.drop("1.0.0")
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("False NotFound"))
		Expect(b.condition(v1alpha1.ConditionStalled)).To(Equal("True NotFound"))
		b.quiet()
	})

	It("is not ready while the work goes on", func() {
		b.lose("1.0.0")
		b.told()
		b.served("1.0.0")
		Expect(b.told()).To(HaveExactElements(
			"Warning ChartMissing the chart of version 1.0.0 is missing from the repository",
			"Normal Ready serving 1.0.0"))
	})

	DescribeTable("is not ready while nothing may be hydrated", func(hold, release func(), reason, message string) {
		hold()
		_, err := b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True Ready"), "what is published is served")
		b.lose("1.0.0")
		_, err = b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal(reason))
		Expect(b.says(v1alpha1.ConditionReady)).To(Equal("the chart of version 1.0.0 is missing from the repository, and is not made again: " + message))
		b.quiet()
		release()
		b.served("1.0.0")
	},
		Entry("for itself",
			func() { b.edit(func(app *v1alpha1.AppInfo) { app.Spec.Suspend = new(true) }) },
			func() { b.edit(func(app *v1alpha1.AppInfo) { app.Spec.Suspend = nil }) },
			"Unknown Suspended", "suspended by spec.suspend"),
		Entry("for its source",
			func() { b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.Suspend = new(true) }) },
			func() { b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.Suspend = nil }) },
			"Unknown Suspended", `source "main" is suspended`),
		Entry("without its source",
			func() { Expect(server.Client.Delete(b.ctx, b.source)).To(Succeed()) },
			func() {
				b.source.ResourceVersion, b.source.UID = "", ""
				server.Create(GinkgoTB(), b.source)
			},
			"Unknown WaitingForSource", `source "main" is gone`),
	)

	It("serves the other version meanwhile", func() {
		b.put("1.1.0", page())
		b.list()
		b.served("1.1.0", "1.0.0")
		b.lose("1.1.0")
		b.fails("1.1.0", http.StatusInternalServerError)
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred())
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(b.says(v1alpha1.ConditionReady)).To(HavePrefix("serving 1.0.0; version 1.1.0: "))
		b.fails("", 0)
		b.served("1.1.0", "1.0.0")
	})

	It("no longer lists what its source does not offer any more", func() {
		b.put("1.1.0", page())
		b.list()
		b.served("1.1.0", "1.0.0")
		b.drop("1.0.0")
		b.lose("1.0.0")
		b.list()
		b.served("1.1.0")
	})
})

var _ = Describe("The events of an app", func() {
	It("name each version that is published, and each image that is another", func() {
		b := newBench()
		pod := func(image string) map[string]string {
			return map[string]string{"templates/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: \"" + image + "\"}]}\n"}
		}
		b.put("1.0.0", pod("images.example.invalid/web:1"))
		b.put("1.1.0", pod("images.example.invalid/web:1"))
		b.list()
		b.served("1.1.0", "1.0.0")
		Expect(b.told()).To(HaveExactElements("Normal Published published versions 1.1.0, 1.0.0"), "which says that the app is ready, too")
		b.put("1.2.0", pod("images.example.invalid/web:2"))
		b.list()
		b.served("1.2.0", "1.1.0", "1.0.0")
		Expect(b.told()).To(HaveExactElements(
			"Normal Published published version 1.2.0",
			"Normal Analyzed images of version 1.2.0: images.example.invalid/web:2 is new, images.example.invalid/web:1 is gone"))
	})
})
