package appinstalltask_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

// panicking is a cluster whose checks panic.
type panicking struct{}

func (panicking) Check(context.Context, preflight.Request) ([]preflight.Problem, error) {
	panic("no cluster")
}

var _ = Describe("A panic in a phase", func() {
	It("is a failure of the task, and does not end it", func() {
		b := newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.reconciler.Cluster = panicking{}
		b.createTask("install", v1alpha1.ActionInstall)
		_, err := b.reconcileTask()
		Expect(err).To(HaveOccurred(), "it is tried again")
		Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("False ProgressingWithRetry"))
		Expect(b.task.Finished()).To(BeFalse())
	})
})
