package appinstance_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/transitions"
)

var _ = Describe("A panic", func() {
	var b *instanceFixture
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.instance.Annotations = taskAnnotations("install", "h1", "1")
		b.createInstance()
	})

	It("in a phase is a failure of the instance", func() {
		works := b.reconciler.Clients
		b.reconciler.Clients = func(release.Tenant, release.Records) release.Client { panic("no client") }
		_, err := b.reconcileInstance()
		Expect(err).To(HaveOccurred(), "it is tried again")
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False ProgressingWithRetry"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(ContainSubstring("internal error: no client"))
		Expect(transitions.FindTask(b.instance, "install", "h1")).To(BeNil(), "the task was not carried out")

		b.reconciler.Clients = works
		b.expectReady("1.0.0", 1)
		Expect(transitions.FindTask(b.instance, "install", "h1")).NotTo(BeNil())
	})

	It("in an operation is an interruption, and not tried more than three times", func() {
		b.expectReady("1.0.0", 1)
		tries := 0
		b.setFakeHelmClient(func(f *fakeHelmClient) { f.upgrade = func() error { tries++; panic("no upgrade") } })
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = valuesWithColor("red") })
		for range 3 {
			_, err := b.reconcileInstance()
			Expect(err).NotTo(MatchError(reconcile.TerminalError(nil)))
			Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False Interrupted"))
		}
		_, err := b.reconcileInstance()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True Interrupted"))
		Expect(b.conditionMessage(v1alpha1.ConditionApplied)).To(ContainSubstring("change the annotation appmarket.io/reconcile-requested-at"))
		Expect(tries).To(Equal(3))
		Expect(b.instance.Status.History[0].Count).To(Equal(int32(3)))
		b.expectNoWrites()

		b.setFakeHelmClient()
		b.requestReconcile("now")
		b.expectReady("1.0.0", 2)
	})
})
