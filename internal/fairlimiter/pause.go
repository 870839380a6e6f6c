package fairlimiter

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
)

// maxPausedPerSlot bounds the number of paused operations for each slot.
const maxPausedPerSlot = 4

// Pause releases the slot of an instance while its operation only waits. Resume continues the
// operation. Pause does nothing for an instance without a slot, or if too many operations are
// paused.
func (l *Limiter) Pause(instance types.NamespacedName) {
	l.mu.Lock()
	var next []types.NamespacedName
	w, known := l.waiters[instance]
	if known && w.state == running && l.countByState[paused] < maxPausedPerSlot*l.limit && w.namespace.paused < l.limit {
		l.pauseWaiter(w)
		next = l.reserveSlots()
	}
	l.mu.Unlock()
	l.notifyAll(next)
}

// pauseWaiter takes the slot of a running operation.
func (l *Limiter) pauseWaiter(w *waiter) {
	l.setState(w, paused)
	w.namespace.held--
	w.namespace.paused++
	l.waitingNamespaces.reorder(w.namespace)
}

// Resume acquires a slot for a paused operation. It waits for a slot, before the instances of
// the same namespace that have not started, until the context ends. The operation then
// continues without a slot.
func (l *Limiter) Resume(ctx context.Context, instance types.NamespacedName) {
	l.mu.Lock()
	w, known := l.waiters[instance]
	if !known || w.state != paused {
		l.mu.Unlock()
		return
	}
	n := w.namespace
	if l.hasSlotFor(n) {
		l.grantResume(w)
		l.waitingNamespaces.reorder(n)
		l.mu.Unlock()
		return
	}
	w.resumed = make(chan struct{})
	w.element = n.queue.PushFront(w)
	l.waitingNamespaces.reorder(n)
	l.mu.Unlock()
	select {
	case <-w.resumed:
	case <-ctx.Done():
		l.mu.Lock()
		if w.state == paused {
			n.queue.Remove(w.element)
			l.waitingNamespaces.reorder(n)
		}
		w.resumed = nil
		l.mu.Unlock()
	}
}

// grantResume grants a slot to a paused operation.
func (l *Limiter) grantResume(w *waiter) {
	l.setState(w, running)
	w.namespace.held++
	w.namespace.paused--
}
