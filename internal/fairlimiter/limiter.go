// Package fairlimiter limits the number of concurrent Helm operations, and of concurrent
// reconciles of other controllers, and shares the slots fairly among namespaces.
//
// The controller of instances has many workers, because most reconciles are cheap and only Helm
// operations are expensive. A reconcile acquires a slot before it checks, renders and runs an
// operation. If no slot is free, the instance is queued and the worker continues with other
// objects. A released slot is reserved for the next instance in the queue, which is notified and
// then acquires it.
//
// A namespace has at most half of the slots, so that operations that do not end cannot block
// other namespaces. An operation that only waits, for example for a hook, is paused: it
// releases its slot and acquires a slot again to continue. The number of paused operations is
// bounded, because each of them uses a worker. Work that waits for a slow server releases its slot
// too; see Await.
//
// The next instance belongs to the namespace with the fewest slots. Among several such
// namespaces, the one whose number of slots has not changed for the longest time comes first.
// Within a namespace, instances are served in the order of arrival. With one slot this is
// round-robin.
//
// An instance can be deleted while it waits. A reservation that is not used within 30 seconds
// goes to the next instance.
package fairlimiter

import (
	"container/list"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// reservationTimeout is the time for which a slot is reserved for a notified instance. A notified
// instance is usually reconciled much sooner, because workers do not wait for slots.
const reservationTimeout = 30 * time.Second

// Limiter grants slots to instances. It stores only the instances that have a slot or wait
// for one. It is safe for concurrent use.
type Limiter struct {
	limit          int
	namespaceLimit int // slots that one namespace may have
	maxSlow        int // instances without a slot that wait for servers
	notify         func(types.NamespacedName)

	mu                sync.Mutex
	waiters           map[types.NamespacedName]*waiter
	namespaces        map[string]*namespace
	countByState      [states]int // waiters by state
	waitingNamespaces namespaceHeap
	reservations      list.List // of waiters, the oldest reservation first
	expiryTimer       *time.Timer
	slow              []*serverWait // without a slot, the oldest first
	ended             int           // paused instances whose request was ended
}

// New returns a Limiter with this number of slots, at least one. It calls notify for an
// instance that waited when a slot is reserved for it: the next TryAcquire of the instance
// succeeds within 30 seconds. notify is called without a lock, by the caller that releases a
// slot or by a timer. It may call the Limiter, and should not block.
func New(limit int, notify func(types.NamespacedName)) *Limiter {
	return newLimiter(max(limit, 1), max(limit/2, 1), notify)
}

// NewForShortWork returns a Limiter for work that always ends soon: one namespace may have
// three quarters of the slots, and all but one.
func NewForShortWork(limit int, notify func(types.NamespacedName)) *Limiter {
	limit = max(limit, 1)
	return newLimiter(limit, max(limit-max(limit/4, 1), 1), notify)
}

func newLimiter(limit, share int, notify func(types.NamespacedName)) *Limiter {
	return &Limiter{
		limit: limit, namespaceLimit: share, notify: notify,
		waiters: map[types.NamespacedName]*waiter{}, namespaces: map[string]*namespace{},
	}
}

// TryAcquire reports whether the instance has a slot. If not, the instance is queued, and
// notified when a slot is free. It keeps its position in the queue when it tries again.
func (l *Limiter) TryAcquire(instance types.NamespacedName) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, known := l.waiters[instance]
	switch {
	case !known:
		w = l.addWaiter(instance)
	case w.state == reserved:
		l.reservations.Remove(w.element)
		l.setState(w, running)
	}
	return w.isUnderWay()
}

// Release releases the slot of an instance. It does nothing for an instance that has not
// acquired a slot, even if one is reserved for it.
func (l *Limiter) Release(instance types.NamespacedName) {
	l.removeIf(instance, (*waiter).isUnderWay)
}

// Cancel removes an instance from the queue, and releases the slot that is reserved for it.
// A slot that the instance has acquired is kept until Release.
func (l *Limiter) Cancel(instance types.NamespacedName) {
	l.removeIf(instance, func(w *waiter) bool { return !w.isUnderWay() })
}

// Running returns the number of operations in progress, including paused ones.
func (l *Limiter) Running() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.countByState[running] + l.countByState[paused]
}

// Waiting returns the number of instances that are queued or have a reservation.
func (l *Limiter) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.countByState[waiting] + l.countByState[reserved]
}

// addWaiter grants a slot to a new instance if its namespace may have a free one, and queues
// the instance otherwise. A namespace with queued instances never has a free slot.
func (l *Limiter) addWaiter(instance types.NamespacedName) *waiter {
	n := l.namespaces[instance.Namespace]
	if n == nil {
		n = &namespace{index: notInHeap}
		l.namespaces[instance.Namespace] = n
	}
	w := &waiter{instance: instance, namespace: n}
	if l.hasSlotFor(n) {
		w.state = running
		n.held++
	} else {
		w.state = waiting
		w.element = n.queue.PushBack(w)
	}
	l.waiters[instance] = w
	l.countByState[w.state]++
	l.waitingNamespaces.reorder(n)
	return w
}

// hasSlotFor reports whether a slot is free and the namespace may have it.
func (l *Limiter) hasSlotFor(n *namespace) bool {
	return l.countByState[running]+l.countByState[reserved] < l.limit && n.held < l.namespaceLimit
}

func (l *Limiter) setState(w *waiter, to state) {
	l.countByState[w.state]--
	l.countByState[to]++
	w.state = to
}

// removeIf removes the waiter of an instance if the condition is met, and reserves the slots
// that become free.
func (l *Limiter) removeIf(instance types.NamespacedName, in func(*waiter) bool) {
	l.mu.Lock()
	var next []types.NamespacedName
	if w, known := l.waiters[instance]; known && in(w) {
		l.removeWaiter(w)
		next = l.reserveSlots()
	}
	l.mu.Unlock()
	l.notifyAll(next)
}

// removeWaiter removes a waiter, and its namespace if it has no other waiters.
func (l *Limiter) removeWaiter(w *waiter) {
	n := w.namespace
	switch w.state {
	case waiting:
		n.queue.Remove(w.element)
	case reserved:
		l.reservations.Remove(w.element)
		n.held--
	case running:
		n.held--
	case paused:
		n.paused--
	}
	l.forgetEnd(w)
	l.countByState[w.state]--
	delete(l.waiters, w.instance)
	l.waitingNamespaces.reorder(n)
	if n.held == 0 && n.paused == 0 && n.queue.Len() == 0 {
		delete(l.namespaces, w.instance.Namespace)
	}
}

// reserveSlots reserves the free slots for the next waiters, and returns their instances.
func (l *Limiter) reserveSlots() []types.NamespacedName {
	var next []types.NamespacedName
	// The first namespace has the fewest slots. If it may not have more, none may.
	for len(l.waitingNamespaces.entries) > 0 && l.hasSlotFor(l.waitingNamespaces.entries[0]) {
		n := l.waitingNamespaces.entries[0]
		w := n.queue.Remove(n.queue.Front()).(*waiter)
		if w.state == paused {
			l.grantResume(w)
			close(w.resumed)
			l.waitingNamespaces.reorder(n)
			continue
		}
		l.setState(w, reserved)
		w.expiresAt = time.Now().Add(reservationTimeout)
		w.element = l.reservations.PushBack(w)
		n.held++
		l.waitingNamespaces.reorder(n)
		next = append(next, w.instance)
	}
	if len(next) > 0 {
		l.scheduleExpiry()
	}
	return next
}

// scheduleExpiry sets the timer to the expiry of the oldest reservation.
func (l *Limiter) scheduleExpiry() {
	oldest := l.reservations.Front()
	if oldest == nil {
		return
	}
	left := time.Until(oldest.Value.(*waiter).expiresAt)
	if l.expiryTimer == nil {
		l.expiryTimer = time.AfterFunc(left, l.expireReservations)
		return
	}
	l.expiryTimer.Reset(left)
}

// expireReservations removes the expired reservations.
func (l *Limiter) expireReservations() {
	l.mu.Lock()
	for oldest := l.reservations.Front(); oldest != nil; oldest = l.reservations.Front() {
		w := oldest.Value.(*waiter)
		if time.Now().Before(w.expiresAt) {
			break
		}
		l.removeWaiter(w)
	}
	next := l.reserveSlots()
	l.scheduleExpiry()
	l.mu.Unlock()
	l.notifyAll(next)
}

func (l *Limiter) notifyAll(next []types.NamespacedName) {
	for _, instance := range next {
		l.notify(instance)
	}
}
