package appinfo_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/fairlimiter"
)

var _ = Describe("The turns of apps", func() {
	var b *appFixture
	var notified []types.NamespacedName
	BeforeEach(func() {
		b = newAppFixture()
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
		notified = nil
	})
	notify := func(key types.NamespacedName) { notified = append(notified, key) }
	other := types.NamespacedName{Namespace: "elsewhere", Name: "main.app"}

	It("let an app wait without a write, until it is notified", func() {
		b.reconciler.Turns = fairlimiter.NewForShortWork(1, notify)
		Expect(b.reconciler.Turns.TryAcquire(other)).To(BeTrue())
		b.writes.Take()
		_, err := b.reconciler.Reconcile(b.ctx, b.app)
		Expect(err).NotTo(HaveOccurred())
		Expect(b.writes.Take()).To(BeEmpty())
		Expect(b.takeFetchCount("1.0.0")).To(BeZero())

		b.reconciler.Turns.Release(other)
		Expect(notified).To(Equal([]types.NamespacedName{client.ObjectKeyFromObject(b.app)}))
		b.expectServed("1.0.0")
		Expect(b.reconciler.Turns.Running()).To(BeZero())
	})

	It("let an app that was cut off wait for others of which that is so, and no other app", func() {
		b.reconciler.Suspects = fairlimiter.New(1, notify)
		Expect(b.reconciler.Suspects.TryAcquire(other)).To(BeTrue())
		b.expectServed("1.0.0")

		b.addVersion("1.1.0", configMapFiles())
		b.writeListing()
		inputs := attemptInputs(b, "1.1.0")
		b.editStatus(func(st *v1alpha1.AppInfoStatus) {
			st.Attempts = []v1alpha1.VersionAttempt{{Version: "1.1.0", Attempt: v1alpha1.Attempt{
				Inputs: inputs, Starts: 1, Process: "before"}}}
		})
		b.takeFetchCount("1.1.0")
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.takeFetchCount("1.1.0")).To(BeZero())
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForTurn"))
		Expect(b.app.Status.Attempts).To(HaveLen(1))
		Expect(b.app.Status.Attempts[0].Starts).To(BeEquivalentTo(1), "it was not begun")

		b.reconciler.Suspects.Release(other)
		Expect(notified).To(HaveLen(1))
		b.expectServed("1.1.0", "1.0.0")
	})
})

// attemptInputs returns the inputs that the attempt of a version records.
func attemptInputs(b *appFixture, version string) string {
	GinkgoHelper()
	var inputs string
	step := b.reconciler.Pipeline.Steps[0]
	b.reconciler.Pipeline.Steps[0] = interruptingStep{Step: step, version: version, seen: func() {
		b.readApp()
		for _, a := range b.app.Status.Attempts {
			if a.Version == version {
				inputs = a.Inputs
			}
		}
	}}
	b.readApp()
	before := b.app.DeepCopy()
	_, err := b.reconcileApp()
	Expect(err).NotTo(HaveOccurred())
	b.reconciler.Pipeline.Steps[0] = step
	b.editStatus(func(st *v1alpha1.AppInfoStatus) { *st = before.Status })
	return inputs
}
