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
	var b *bench
	BeforeEach(func() {
		b = newBench()
		b.put("1.0.0", page())
		b.list()
	})

	stalled := func() bool {
		return meta.IsStatusConditionTrue(b.app.Status.Conditions, v1alpha1.ConditionStalled)
	}

	It("is nothing while the first version fails", func() {
		b.fails("1.0.0", http.StatusInternalServerError)
		_, err := b.reconcile()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonFetchFailed))
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("False FetchFailed"))
		Expect(b.condition(v1alpha1.ConditionFetched)).To(Equal("False FetchFailed"))
		Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True ProgressingWithRetry"))
		Expect(b.app.Status.ObservedGeneration).To(BeNumerically("<", b.app.Generation))
		b.quiet()
		b.fails("", 0)
		b.served("1.0.0")
	})

	It("is nothing when the first version fails for good", func() {
		b.put("1.0.0", broken())
		b.list()
		_, err := b.reconcile()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.condition(v1alpha1.ConditionFetched)).To(Equal("True Fetched"))
		Expect(b.condition(v1alpha1.ConditionRendered)).To(Equal("False RenderFailed"))
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("False RenderFailed"))
		Expect(b.condition(v1alpha1.ConditionStalled)).To(Equal("True RenderFailed"))
		Expect(b.says(v1alpha1.ConditionReady)).To(ContainSubstring("templates/page.yaml:1"))
		Expect(b.published()).To(BeEmpty())
		b.quiet()
	})

	It("is the version before while the next one fails for good", func() {
		b.served("1.0.0")
		b.put("2.0.0", broken())
		b.list()
		_, err := b.reconcile()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(b.says(v1alpha1.ConditionReady)).To(HavePrefix("serving 1.0.0; version 2.0.0: "))
		Expect(b.condition(v1alpha1.ConditionRendered)).To(Equal("False RenderFailed"))
		Expect(stalled()).To(BeTrue())
		Expect(b.versions()).To(Equal([]string{"1.0.0"}))
		Expect(b.app.Status.Version).To(Equal("1.0.0"))
		b.quiet()
	})

	It("is the version before while the next one is tried again", func() {
		b.served("1.0.0")
		b.put("2.0.0", page())
		b.list()
		b.fails("2.0.0", http.StatusBadGateway)
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred())
		Expect(err).NotTo(MatchError(reconcile.TerminalError(nil)))
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(b.condition(v1alpha1.ConditionFetched)).To(Equal("False FetchFailed"))
		Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True ProgressingWithRetry"))
		b.quiet()
		b.fails("", 0)
		b.served("2.0.0", "1.0.0")
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True Ready"))
	})

	It("is the newest version although an older one fails", func() {
		b.put("1.0.0", broken())
		b.put("2.0.0", page())
		b.list()
		_, err := b.reconcile()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(b.says(v1alpha1.ConditionReady)).To(HavePrefix("serving 2.0.0; version 1.0.0: "))
		Expect(b.versions()).To(Equal([]string{"2.0.0"}))
		Expect(b.app.Status.Summary.AppVersion).To(Equal("v2.0.0"))
		b.quiet()
		Expect(b.fetches("2.0.0")).To(Equal(1), "it is not due any more")
	})

	It("is told step by step of an older version that fails otherwise each time", func() {
		b.put("0.9.0", broken())
		b.list()
		b.fails("0.9.0", http.StatusInternalServerError)
		_, err := b.reconcile()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonFetchFailed))
		Expect(b.condition(v1alpha1.ConditionFetched)).To(Equal("False FetchFailed"))
		b.fails("", 0)
		_, err = b.reconcile()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRenderFailed))
		Expect(b.condition(v1alpha1.ConditionFetched)).To(Equal("True Fetched"))
		Expect(b.condition(v1alpha1.ConditionRendered)).To(Equal("False RenderFailed"))
		b.put("0.9.0", page())
		b.list()
		b.served("1.0.0", "0.9.0")
		Expect(b.condition(v1alpha1.ConditionPublished)).To(Equal("True Published"))
	})

	It("is told of the newest version that fails, not of one behind it", func() {
		b.put("2.0.0", broken())
		b.put("1.0.0", map[string]string{"templates/page.yaml": "{{ older }}"})
		b.put("0.9.0", page())
		b.list()
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred())
		Expect(b.says(v1alpha1.ConditionFetched)).To(HavePrefix("version 2.0.0"))
		Expect(b.says(v1alpha1.ConditionRendered)).To(HavePrefix("version 2.0.0"))
		Expect(b.versions()).To(Equal([]string{"0.9.0"}))
	})

	It("goes on with the step that failed, without fetching again", func() {
		b.jam()
		_, err := b.reconcile()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonStorageFailed))
		Expect(b.condition(v1alpha1.ConditionAnalyzed)).To(Equal("True Analyzed"))
		Expect(b.condition(v1alpha1.ConditionPublished)).To(Equal("False StorageFailed"))
		b.quiet()
		b.unjam()
		b.served("1.0.0")
		Expect(b.fetches("1.0.0")).To(Equal(1))
	})

	It("begins anew when what failed has other inputs now", func() {
		b.jam()
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred())
		b.unjam()
		b.edit(func(app *v1alpha1.AppInfo) {
			app.Spec.CustomParams = &runtime.RawExtension{Raw: []byte(`{"colour": "blue"}`)}
		})
		b.served("1.0.0")
		Expect(b.fetches("1.0.0")).To(Equal(2))
		Expect(b.values()).To(ContainSubstring("colour: blue"))
	})

	It("is described by the newest version that is no prerelease", func() {
		b.put("2.0.0-rc.1", page())
		b.list()
		b.served("2.0.0-rc.1", "1.0.0")
		Expect(b.app.Status.Version).To(Equal("1.0.0"))
		Expect(b.app.Status.Summary.AppVersion).To(Equal("v1.0.0"))
	})

	It("is described by a prerelease where there is nothing else", func() {
		b.put("2.0.0-rc.1", page())
		b.drop("1.0.0")
		b.list()
		b.served("2.0.0-rc.1")
		Expect(b.app.Status.Version).To(Equal("2.0.0-rc.1"))
		b.put("1.9.0", page())
		b.list()
		b.served("2.0.0-rc.1", "1.9.0")
		Expect(b.app.Status.Version).To(Equal("1.9.0"))
	})

	It("stays when parameters cannot be read", func() {
		b.served("1.0.0")
		b.edit(func(app *v1alpha1.AppInfo) {
			app.Spec.CustomParams = &runtime.RawExtension{Raw: []byte(`{"colour": "` + "\x7f" + `"}`)}
		})
		_, err := b.reconcile()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidValues))
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		Expect(stalled()).To(BeTrue())
		b.quiet()
	})

	It("is nothing with parameters that cannot be read", func() {
		b.edit(func(app *v1alpha1.AppInfo) {
			app.Spec.CustomParams = &runtime.RawExtension{Raw: []byte(`{"colour": "` + "\x7f" + `"}`)}
		})
		_, err := b.reconcile()
		Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidValues))
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("False InvalidValues"))
		b.quiet()
	})
})
