package appinstalltask_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/fairlimiter"
)

var _ = Describe("If a namespace has all its slots in use, a task", func() {
	var b *taskFixture
	var other types.NamespacedName
	var notified []types.NamespacedName
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		notified = nil
		b.reconciler.Turns = fairlimiter.NewForShortWork(2, func(key types.NamespacedName) { notified = append(notified, key) })
		other = types.NamespacedName{Namespace: b.namespace, Name: "other"}
		Expect(b.reconciler.Turns.TryAcquire(other)).To(BeTrue())
	})

	DescribeTable("waits without a write, until it is notified", func(cancel *bool) {
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.Cancel = cancel })
		b.writes.Take()
		_, err := b.reconciler.Reconcile(b.ctx, b.task)
		Expect(err).NotTo(HaveOccurred())
		Expect(b.writes.Take()).To(BeEmpty())

		b.reconciler.Turns.Release(other)
		Expect(notified).To(Equal([]types.NamespacedName{client.ObjectKeyFromObject(b.task)}))
		b.expectStarted()
		Expect(b.reconciler.Turns.Running()).To(BeZero())
	},
		Entry("if spec.cancel is not set", nil),
		Entry("if spec.cancel is false", new(false)),
	)

	It("is canceled at once", func() {
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.Cancel = new(true) })
		b.expectFailure(v1alpha1.ReasonCanceled)
	})
})
