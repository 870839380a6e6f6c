package fairlimiter

import (
	"context"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

type workQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Queue gives access to the work queue of a controller, in order to requeue notified objects.
// The zero Queue does nothing until it is started.
type Queue struct{ queue atomic.Pointer[workQueue] }

// Start implements a source of a controller.
func (q *Queue) Start(_ context.Context, queue workQueue) error {
	q.queue.Store(&queue)
	return nil
}

// Wake adds an object to the work queue.
func (q *Queue) Wake(object types.NamespacedName) {
	if queue := q.queue.Load(); queue != nil {
		(*queue).Add(reconcile.Request{NamespacedName: object})
	}
}
