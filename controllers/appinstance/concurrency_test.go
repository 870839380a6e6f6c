package appinstance_test

import (
	"context"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/fairlimiter"
)

// blockingWorker is a worker that renders the charts of a namespace only after release is closed.
type blockingWorker struct {
	hydrate.Worker
	namespace string
	release   chan struct{}
	blocked   atomic.Int64
}

// Prepare waits for release before it renders a chart.
func (w *blockingWorker) Prepare(ctx context.Context, p hydrate.Preparation) (*hydrate.Prepared, error) {
	if p.Request.At.Namespace == w.namespace {
		w.blocked.Add(1)
		<-w.release
	}
	return w.Worker.Prepare(ctx, p)
}

var _ = Describe("Concurrent reconciles of a namespace", func() {
	var b *instanceFixture
	var notified []types.NamespacedName
	notify := func(key types.NamespacedName) { notified = append(notified, key) }
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance()
		notified = nil
	})

	It("are limited: an instance waits without a write, until it is notified", func() {
		b.reconciler.Reconciles = fairlimiter.New(2, notify)
		other := types.NamespacedName{Namespace: b.instance.Namespace, Name: "other"}
		Expect(b.reconciler.Reconciles.TryAcquire(other)).To(BeTrue())
		b.writes.Take()
		_, err := b.reconciler.Reconcile(b.ctx, b.instance)
		Expect(err).NotTo(HaveOccurred())
		Expect(b.writes.Take()).To(BeEmpty())
		Expect(b.reconciler.Reconciles.TryAcquire(types.NamespacedName{Namespace: "elsewhere", Name: "other"})).To(BeTrue())

		b.reconciler.Reconciles.Release(other)
		Expect(notified).To(Equal([]types.NamespacedName{client.ObjectKeyFromObject(b.instance)}))
		b.expectReady("1.0.0", 1)
		Expect(b.reconciler.Reconciles.Running()).To(Equal(1), "the reconcile of the instance elsewhere")
	})

	It("wait for a slot before they render the app", func() {
		limiter := fairlimiter.New(2, func(types.NamespacedName) {})
		b.reconciler.Turns = limiter
		worker := &blockingWorker{Worker: b.reconciler.Planner.Worker, namespace: b.instance.Namespace, release: make(chan struct{})}
		b.reconciler.Planner.Worker = worker
		done := make(chan error, 1)
		go func() {
			defer GinkgoRecover()
			_, err := b.reconciler.Reconcile(b.ctx, b.instance.DeepCopy())
			done <- err
		}()
		Eventually(worker.blocked.Load).Should(Equal(int64(1)))

		second := *b
		second.instance = &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "second"}, Spec: b.instance.Spec,
		}
		second.createInstance()
		waiting := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(waiting)
			_, err := second.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
		}()
		Eventually(waiting, "20s").Should(BeClosed(), "the reconcile does not wait for the worker")
		Expect(second.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True " + v1alpha1.ReasonWaitingForTurn))
		Expect(limiter.TryAcquire(types.NamespacedName{Namespace: "elsewhere", Name: "other"})).To(BeTrue())

		close(worker.release)
		Eventually(done, "20s").Should(Receive())
		Expect(worker.blocked.Load()).To(Equal(int64(1)))
		b.expectReady("1.0.0", 1)
	})
})
