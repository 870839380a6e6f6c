package appinfo_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
)

var _ = Describe("A version is due", func() {
	var b *appFixture
	BeforeEach(func() {
		b = newAppFixture()
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
		b.expectServed("1.0.0")
		Expect(b.takeFetchCount("1.0.0")).To(Equal(1))
	})

	// hydrated expects one version to be hydrated once for a given reason, and the next
	// reconcile to write nothing.
	hydrated := func(version, why string) {
		GinkgoHelper()
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.progressMessages).To(Equal([]string{"hydrating version " + version + ": " + why}))
		Expect(b.takeFetchCount(version)).To(Equal(1))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		b.expectNoWrites()
		Expect(b.takeFetchCount(version)).To(BeZero(), "once is enough")
	}

	It("not at all when nothing changed", func() {
		b.restartReconciler()
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.takeFetchCount("1.0.0")).To(BeZero())
	})

	It("when it was never published", func() {
		b.addVersion("1.1.0", configMapFiles())
		b.writeListing()
		hydrated("1.1.0", "neverPublished")
		Expect(b.statusVersions()).To(Equal([]string{"1.1.0", "1.0.0"}))
		Expect(b.takeFetchCount("1.0.0")).To(BeZero(), "the other one is served already")
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("serving 1.1.0 and 1 other version"))
	})

	It("when its archive is missing", func() {
		b.deleteArchive("1.0.0")
		hydrated("1.0.0", "artifactMissing")
		b.expectServed("1.0.0")
	})

	It("when the source has another archive under its name", func() {
		b.allowMutableVersions()
		before := b.app.Status.Versions[0].Digest
		content := configMapFiles()
		content["values.yaml"] = "color: red\n"
		b.addVersion("1.0.0", content)
		b.writeListing()
		hydrated("1.0.0", "sourceChanged")
		Expect(b.app.Status.Versions[0].Digest).NotTo(Equal(before))
		b.expectServed("1.0.0")
	})

	It("when a user sets parameters of the app", func() {
		b.editApp(func(app *v1alpha1.AppInfo) {
			app.Spec.CustomParams = &runtime.RawExtension{Raw: []byte(`{"color": "blue"}`)}
		})
		hydrated("1.0.0", "paramsChanged")
		Expect(b.conditionMessage(v1alpha1.ConditionCustomized)).To(Equal("parameters merged into values.yaml"))
		Expect(b.publishedValues()).To(Equal("# What people see.\ncolor: blue\n"))
	})

	It("when the source gives all its apps parameters, below the parameters of the app", func() {
		b.editSource(func(spec *v1alpha1.MarketSourceSpec) {
			spec.CustomParams = &runtime.RawExtension{Raw: []byte(`{"color": "red", "zone": "north"}`)}
		})
		hydrated("1.0.0", "paramsChanged")
		Expect(b.publishedValues()).To(And(ContainSubstring("color: red"), ContainSubstring("zone: north")))
		b.editApp(func(app *v1alpha1.AppInfo) {
			app.Spec.CustomParams = &runtime.RawExtension{Raw: []byte(`{"color": "blue"}`)}
		})
		b.expectServed("1.0.0")
		Expect(b.publishedValues()).To(And(ContainSubstring("color: blue"), ContainSubstring("zone: north")))
	})

	It("when the platform gives other values", func() {
		before := b.app.Status.Versions[0]
		b.editSource(func(spec *v1alpha1.MarketSourceSpec) {
			spec.Platform = &v1alpha1.Platform{Values: &runtime.RawExtension{Raw: []byte(`{"zone": "south"}`)}}
		})
		hydrated("1.0.0", "platformChanged")
		after := b.app.Status.Versions[0]
		Expect(after.Digest).To(Equal(before.Digest), "they are not published")
		Expect(after.PlatformDigest).NotTo(Equal(before.PlatformDigest))
		Expect(b.getReport("objects.yaml")).To(ContainSubstring("zone: (masked)"), "they are not published in the reports either")
	})

	It("when the steps have become others", func() {
		b.editStatus(func(status *v1alpha1.AppInfoStatus) { status.Versions[0].PipelineRevision = hydrate.Revision - 1 })
		hydrated("1.0.0", "pipelineChanged")
		Expect(b.app.Status.Versions[0].PipelineRevision).To(Equal(hydrate.Revision))
	})

	It("when the app is not described by it", func() {
		b.editStatus(func(status *v1alpha1.AppInfoStatus) { status.SelectedVersion, status.Summary = "0.9.0", nil })
		hydrated("1.0.0", "selectedVersionChanged")
		Expect(b.app.Status.SelectedVersion).To(Equal("1.0.0"))
		Expect(b.app.Status.Summary).NotTo(BeNil())
	})

	It("when a reconcile is requested, once for each request", func() {
		for _, when := range []string{"now", "again"} {
			b.editApp(func(app *v1alpha1.AppInfo) {
				app.Annotations = map[string]string{v1alpha1.ReconcileRequestAnnotation: when}
			})
			_, err := b.reconcileApp()
			Expect(err).NotTo(HaveOccurred())
			Expect(b.progressMessages).To(Equal([]string{"hydrating version 1.0.0: reconcileRequested"}))
			Expect(b.app.Status.LastHandledReconcileAt).To(Equal(when))
			Expect(b.takeFetchCount("1.0.0")).To(Equal(1))
		}
	})

	It("for the first reason of several", func() {
		b.allowMutableVersions()
		b.addVersion("1.0.0", map[string]string{"templates/page.yaml": "", "values.yaml": "color: red\n"})
		b.writeListing()
		b.editStatus(func(status *v1alpha1.AppInfoStatus) { status.Versions[0].PipelineRevision = 0 })
		hydrated("1.0.0", "sourceChanged")
		Expect(b.app.Status.Versions[0].PipelineRevision).To(Equal(hydrate.Revision))
	})
})
