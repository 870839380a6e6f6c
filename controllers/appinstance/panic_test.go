package appinstance_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/lifecycle"
	"github.com/appmarket/operator/internal/release"
)

var _ = Describe("A panic", func() {
	var b *bench
	BeforeEach(func() {
		b = newBench()
		b.publish("1.0.0", pages())
		b.instance.Annotations = map[string]string{v1alpha1.TaskAnnotation: "install", v1alpha1.TaskHashAnnotation: "h1"}
		b.create()
	})

	It("in a phase is a failure of the instance", func() {
		works := b.reconciler.Clients
		b.reconciler.Clients = func(release.Tenant) release.Client { panic("no client") }
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred(), "it is tried again")
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("False ProgressingWithRetry"))
		Expect(b.says(v1alpha1.ConditionReady)).To(ContainSubstring("internal error: no client"))
		Expect(lifecycle.Carried(b.instance, "install", "h1")).To(BeNil(), "the task was not carried out")

		b.reconciler.Clients = works
		b.runs("1.0.0", 1)
	})
})
