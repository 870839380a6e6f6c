package fairlimiter

import (
	"context"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

type workQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Queue keeps the queue of a controller at hand for those whose turn has come. The zero
// Queue wakes nothing until it is started.
type Queue struct{ queue atomic.Pointer[workQueue] }

// Start is a source of the controller.
func (q *Queue) Start(_ context.Context, queue workQueue) error {
	q.queue.Store(&queue)
	return nil
}

// Wake has an object reconciled.
func (q *Queue) Wake(object types.NamespacedName) {
	if queue := q.queue.Load(); queue != nil {
		(*queue).Add(reconcile.Request{NamespacedName: object})
	}
}
