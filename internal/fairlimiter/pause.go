package fairlimiter

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
)

// pausedPerPlace bounds the operations that are paused, for each place.
const maxPausedPerSlot = 4

// Pause gives the place of an instance to others while its operation only waits. The
// operation goes on after Resume. It does nothing for an instance without a place, and
// where too many are paused.
func (l *Limiter) Pause(instance types.NamespacedName) {
	l.mu.Lock()
	var next []types.NamespacedName
	w, known := l.waiters[instance]
	if known && w.state == running && l.countByState[paused] < maxPausedPerSlot*l.limit && w.namespace.paused < l.limit {
		l.setState(w, paused)
		w.namespace.held--
		w.namespace.paused++
		l.waitingNamespaces.reorder(w.namespace)
		next = l.reserveSlots()
	}
	l.mu.Unlock()
	l.notifyAll(next)
}

// Resume takes a place again for an operation that was paused. It waits for one, before
// the instances of the same namespace that have not begun, until the context ends: the
// operation then goes on without, to its end.
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

// goOn gives a place to an operation that was paused.
func (l *Limiter) grantResume(w *waiter) {
	l.setState(w, running)
	w.namespace.held++
	w.namespace.paused--
}
