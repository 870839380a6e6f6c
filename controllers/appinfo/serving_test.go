package appinfo_test

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

var _ = Describe("What is served", func() {
	var b *appFixture
	BeforeEach(func() {
		b = newAppFixture()
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
	})

	stalled := func() bool {
		return meta.IsStatusConditionTrue(b.app.Status.Conditions, v1alpha1.ConditionStalled)
	}

	It("is nothing while the first version fails", func() {
		b.setFailure("1.0.0", http.StatusInternalServerError)
		_, err := b.reconcileApp()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonFetchFailed))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False FetchFailed"))
		Expect(b.conditionStatus(v1alpha1.ConditionFetched)).To(Equal("False FetchFailed"))
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True ProgressingWithRetry"))
		Expect(b.app.Status.ObservedGeneration).To(BeNumerically("<", b.app.Generation))
		b.expectNoWrites()
		b.setFailure("", 0)
		b.expectServed("1.0.0")
	})

	It("is nothing when the first version fails for good", func() {
		b.addVersion("1.0.0", unrenderableFiles())
		b.writeListing()
		_, err := b.reconcileApp()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.conditionStatus(v1alpha1.ConditionFetched)).To(Equal("True Fetched"))
		Expect(b.conditionStatus(v1alpha1.ConditionRendered)).To(Equal("False RenderFailed"))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False RenderFailed"))
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True RenderFailed"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(ContainSubstring("templates/page.yaml:1"))
		Expect(b.repositoryVersions()).To(BeEmpty())
		b.expectNoWrites()
	})

	It("is the version before while the next one fails for good", func() {
		b.expectServed("1.0.0")
		b.addVersion("2.0.0", unrenderableFiles())
		b.writeListing()
		_, err := b.reconcileApp()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(HavePrefix("serving 1.0.0; version 2.0.0: "))
		Expect(b.conditionStatus(v1alpha1.ConditionRendered)).To(Equal("False RenderFailed"))
		Expect(stalled()).To(BeTrue())
		Expect(b.statusVersions()).To(Equal([]string{"1.0.0"}))
		Expect(b.app.Status.SelectedVersion).To(Equal("1.0.0"))
		b.expectNoWrites()
	})

	It("is the version before while the next one is tried again", func() {
		b.expectServed("1.0.0")
		b.addVersion("2.0.0", configMapFiles())
		b.writeListing()
		b.setFailure("2.0.0", http.StatusBadGateway)
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(err).NotTo(MatchError(reconcile.TerminalError(nil)))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(b.conditionStatus(v1alpha1.ConditionFetched)).To(Equal("False FetchFailed"))
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True ProgressingWithRetry"))
		b.expectNoWrites()
		b.setFailure("", 0)
		b.expectServed("2.0.0", "1.0.0")
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
	})

	It("is the newest version although an older one fails", func() {
		b.addVersion("1.0.0", unrenderableFiles())
		b.addVersion("2.0.0", configMapFiles())
		b.writeListing()
		_, err := b.reconcileApp()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(HavePrefix("serving 2.0.0; version 1.0.0: "))
		Expect(b.statusVersions()).To(Equal([]string{"2.0.0"}))
		Expect(b.app.Status.Summary.AppVersion).To(Equal("v2.0.0"))
		b.expectNoWrites()
		Expect(b.takeFetchCount("2.0.0")).To(Equal(1), "it is not due any more")
	})

	It("shows step by step an older version that fails differently each time", func() {
		b.addVersion("0.9.0", unrenderableFiles())
		b.writeListing()
		b.setFailure("0.9.0", http.StatusInternalServerError)
		_, err := b.reconcileApp()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonFetchFailed))
		Expect(b.conditionStatus(v1alpha1.ConditionFetched)).To(Equal("False FetchFailed"))
		b.setFailure("", 0)
		_, err = b.reconcileApp()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRenderFailed))
		Expect(b.conditionStatus(v1alpha1.ConditionFetched)).To(Equal("True Fetched"))
		Expect(b.conditionStatus(v1alpha1.ConditionRendered)).To(Equal("False RenderFailed"))
		b.addVersion("0.9.0", configMapFiles())
		b.writeListing()
		b.expectServed("1.0.0", "0.9.0")
		Expect(b.conditionStatus(v1alpha1.ConditionPublished)).To(Equal("True Published"))
	})

	It("shows the newest version that fails, not an older one", func() {
		b.addVersion("2.0.0", unrenderableFiles())
		b.addVersion("1.0.0", map[string]string{"templates/page.yaml": "{{ older }}"})
		b.addVersion("0.9.0", configMapFiles())
		b.writeListing()
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(b.conditionMessage(v1alpha1.ConditionFetched)).To(HavePrefix("version 2.0.0"))
		Expect(b.conditionMessage(v1alpha1.ConditionRendered)).To(HavePrefix("version 2.0.0"))
		Expect(b.statusVersions()).To(Equal([]string{"0.9.0"}))
	})

	It("goes on with the step that failed, without fetching again", func() {
		b.blockWrites()
		_, err := b.reconcileApp()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonStorageFailed))
		Expect(b.conditionStatus(v1alpha1.ConditionAnalyzed)).To(Equal("True Analyzed"))
		Expect(b.conditionStatus(v1alpha1.ConditionPublished)).To(Equal("False StorageFailed"))
		b.expectNoWrites()
		b.unblockWrites()
		b.expectServed("1.0.0")
		Expect(b.takeFetchCount("1.0.0")).To(Equal(1))
	})

	It("starts again when the inputs of the failed version have changed", func() {
		b.blockWrites()
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		b.unblockWrites()
		b.editApp(func(app *v1alpha1.AppInfo) {
			app.Spec.CustomParams = &runtime.RawExtension{Raw: []byte(`{"color": "blue"}`)}
		})
		b.expectServed("1.0.0")
		Expect(b.takeFetchCount("1.0.0")).To(Equal(2))
		Expect(b.publishedValues()).To(ContainSubstring("color: blue"))
	})

	It("is described by the newest version that is no prerelease", func() {
		b.addVersion("2.0.0-rc.1", configMapFiles())
		b.writeListing()
		b.expectServed("2.0.0-rc.1", "1.0.0")
		Expect(b.app.Status.SelectedVersion).To(Equal("1.0.0"))
		Expect(b.app.Status.Summary.AppVersion).To(Equal("v1.0.0"))
	})

	It("is described by a prerelease where there is nothing else", func() {
		b.addVersion("2.0.0-rc.1", configMapFiles())
		b.removeVersion("1.0.0")
		b.writeListing()
		b.expectServed("2.0.0-rc.1")
		Expect(b.app.Status.SelectedVersion).To(Equal("2.0.0-rc.1"))
		b.addVersion("1.9.0", configMapFiles())
		b.writeListing()
		b.expectServed("2.0.0-rc.1", "1.9.0")
		Expect(b.app.Status.SelectedVersion).To(Equal("1.9.0"))
	})

	It("stays when parameters cannot be read", func() {
		b.expectServed("1.0.0")
		b.editApp(func(app *v1alpha1.AppInfo) {
			app.Spec.CustomParams = &runtime.RawExtension{Raw: []byte(`{"color": "` + "\x7f" + `"}`)}
		})
		_, err := b.reconcileApp()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidValues))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(stalled()).To(BeTrue())
		b.expectNoWrites()
	})

	It("is nothing with parameters that cannot be read", func() {
		b.editApp(func(app *v1alpha1.AppInfo) {
			app.Spec.CustomParams = &runtime.RawExtension{Raw: []byte(`{"color": "` + "\x7f" + `"}`)}
		})
		_, err := b.reconcileApp()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidValues))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False InvalidValues"))
		b.expectNoWrites()
	})
})
