package appinfo_test

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
)

// interruptingStep is a step that does not return a result for its version, as in a process that is
// killed. It lets the test record the status that the next process finds.
type interruptingStep struct {
	hydrate.Step
	version string
	seen    func()
}

func (d interruptingStep) Apply(ctx context.Context, draft *hydrate.Draft) error {
	if draft.Request.Offer.Version == d.version {
		d.seen()
	}
	return d.Step.Apply(ctx, draft)
}

var _ = Describe("The hydration of a version", func() {
	var b *appFixture
	BeforeEach(func() {
		b = newAppFixture()
		b.addVersion("1.0.0", configMapFiles())
		b.addVersion("1.1.0", configMapFiles())
		b.writeListing()
	})

	// attempts returns the number of started attempts in status, by version.
	attempts := func() map[string]int32 {
		GinkgoHelper()
		b.readApp()
		begun := map[string]int32{}
		for _, a := range b.app.Status.Attempts {
			begun[a.Version] = a.Starts
		}
		return begun
	}

	// killed sets the status that remains when the process is killed while it hydrates the
	// version, and starts another process.
	killed := func(version string) {
		GinkgoHelper()
		var left []v1alpha1.VersionAttempt
		b.reconciler.Pipeline.Steps[0] = interruptingStep{Step: hydrate.SourceChart{}, version: version, seen: func() {
			b.readApp()
			left = b.app.Status.Attempts
		}}
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(left).NotTo(BeEmpty(), "nothing was noted before the work")
		b.editStatus(func(st *v1alpha1.AppInfoStatus) {
			st.Attempts = left
			st.Versions = nil
		})
		b.restartReconciler()
	}

	It("is noted before it begins, and no longer when it has a result", func() {
		var during map[string]int32
		b.reconciler.Pipeline.Steps[0] = interruptingStep{Step: hydrate.SourceChart{}, version: "1.0.0", seen: func() { during = attempts() }}
		b.expectServed("1.1.0", "1.0.0")
		Expect(during).To(Equal(map[string]int32{"1.0.0": 1, "1.1.0": 1}))
		Expect(attempts()).To(BeEmpty())
	})

	It("is not noted again for a retry in the same process", func() {
		b.setFailure("1.0.0", http.StatusInternalServerError)
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(attempts()).To(BeEmpty(), "a failure is a result")
		b.expectNoWrites()
	})

	It("is not begun a fourth time when it ended the process three times", func() {
		for n := range int32(3) {
			killed("1.0.0")
			Expect(attempts()).To(HaveKeyWithValue("1.0.0", n+1))
		}
		b.takeFetchCount("1.0.0")
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(b.takeFetchCount("1.0.0")).To(BeZero())
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True Interrupted"))
		Expect(b.conditionMessage(v1alpha1.ConditionStalled)).To(ContainSubstring(v1alpha1.ReconcileRequestAnnotation))
		Expect(b.statusVersions()).To(Equal([]string{"1.1.0"}), "the other version is served")
		Expect(attempts()).To(Equal(map[string]int32{"1.0.0": 3}))
		b.expectNoWrites()

		By("asking")
		b.editApp(func(app *v1alpha1.AppInfo) {
			app.Annotations = map[string]string{v1alpha1.ReconcileRequestAnnotation: "again"}
		})
		b.expectServed("1.1.0", "1.0.0")
		Expect(attempts()).To(BeEmpty())
	})

	It("begins afresh with another chart", func() {
		for range 3 {
			killed("1.0.0")
		}
		b.addVersion("1.0.0", map[string]string{"templates/other.yaml": ""})
		b.writeListing()
		b.expectServed("1.1.0", "1.0.0")
		Expect(attempts()).To(BeEmpty())
	})

	It("begins afresh when the version is no longer offered", func() {
		for range 3 {
			killed("1.0.0")
		}
		b.removeVersion("1.0.0")
		b.writeListing()
		b.expectServed("1.1.0")
		Expect(attempts()).To(BeEmpty())
	})

	It("of an innocent version is not to blame", func() {
		for range 3 {
			killed("1.1.0") // 1.0.0 is due in the same reconcile and recorded in the same write.
		}
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(b.statusVersions()).To(Equal([]string{"1.0.0"}))
	})

	It("does not count an end of the process in good order", func() {
		ctx, cancel := context.WithCancel(b.ctx)
		b.ctx = ctx
		b.reconciler.Pipeline.Steps[0] = interruptingStep{Step: hydrate.SourceChart{}, version: "1.1.0", seen: cancel}
		b.readApp()
		_, err := b.reconciler.Reconcile(ctx, b.app)
		Expect(err).To(HaveOccurred())
		b.ctx = context.WithoutCancel(ctx)
		Expect(attempts()).To(BeEmpty())
		b.restartReconciler()
		b.expectServed("1.1.0", "1.0.0")
	})
})
