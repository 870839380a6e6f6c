// Package fairlimiter bounds how many instances Helm works on at once, and how many objects
// another controller does, fair among namespaces.
//
// The controller of instances has many workers, since most reconciles cost next to
// nothing; what costs is an operation of Helm. Whoever is about to run one takes a
// turn. While places are free it has one at once. Otherwise it is put in line and
// its worker goes on with something else; nobody sleeps here. When a place is given
// back it is reserved for the next in line, who is told and takes it.
//
// No namespace has more than half of the places, or one where there is only one, however
// many are free: operations that do not end keep no other namespace waiting. A place stands
// for work of the operator: an operation that only waits, for a hook say, pauses, and takes
// a place again to go on. So that paused operations do not take all workers, only so many
// may pause; the others keep their places.
//
// The next is of the namespace that holds the fewest places; of several such, of
// the one that has held so few for longest; and in a namespace, whoever came first.
// With one place that is round robin. With more of them, neither a thousand waiting
// nor a few operations that never seem to end keep another namespace from the
// places that it gives back itself.
//
// An instance may be gone when its turn comes. A reservation that nobody takes goes
// to the next in line after half a minute.
package fairlimiter

import (
	"container/list"
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// reservation is how long a place is kept for an instance that was told of it. An
// instance that lives is reconciled much sooner: no worker waits for anything.
const reservationTimeout = 30 * time.Second

// Turns gives places to instances. It keeps only those that have a place or wait
// for one. Its methods may be called side by side.
type Limiter struct {
	limit          int
	namespaceLimit int // of the places that one namespace may have
	notify         func(types.NamespacedName)

	mu                sync.Mutex
	waiters           map[types.NamespacedName]*waiter
	namespaces        map[string]*namespace
	countByState      [states]int // tickets by state
	waitingNamespaces namespaceHeap
	reservations      list.List // of tickets, the oldest reservation first
	expiryTimer       *time.Timer
}

// New makes Turns of so many places; fewer than one count as one. notify is called
// for an instance that waited, once a place is reserved for it: the next Take of it
// succeeds, if it comes within 30 seconds. It is called by whoever gave the place
// back, or by a timer, without a lock: it may call Turns, and should not block.
func New(limit int, notify func(types.NamespacedName)) *Limiter {
	return newLimiter(max(limit, 1), max(limit/2, 1), notify)
}

// NewBrief makes Turns for work that ends by itself: one namespace may have all places
// but a quarter, and but one.
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

// Take reports whether the instance has a place now, new or from before. It has
// not if all are in use; then it is in line, where it keeps its position however
// often it asks.
func (t *Limiter) TryAcquire(instance types.NamespacedName) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, known := t.waiters[instance]
	switch {
	case !known:
		k = t.addWaiter(instance)
	case k.state == reserved:
		t.reservations.Remove(k.element)
		t.setState(k, running)
	}
	return k.isUnderWay()
}

// Give gives the place of an instance back. It does nothing for one that has not
// taken any, even if one is reserved for it.
func (t *Limiter) Release(instance types.NamespacedName) {
	t.removeIf(instance, (*waiter).isUnderWay)
}

// pausedPerPlace bounds the operations that are paused, for each place.
const maxPausedPerSlot = 4

// Pause gives the place of an instance to others while its operation only waits. The
// operation goes on after Resume. It does nothing for an instance without a place, and
// where too many are paused.
func (t *Limiter) Pause(instance types.NamespacedName) {
	t.mu.Lock()
	var next []types.NamespacedName
	k, known := t.waiters[instance]
	if known && k.state == running && t.countByState[paused] < maxPausedPerSlot*t.limit && k.namespace.paused < t.limit {
		t.setState(k, paused)
		k.namespace.held--
		k.namespace.paused++
		t.waitingNamespaces.reorder(k.namespace)
		next = t.reserveSlots()
	}
	t.mu.Unlock()
	t.notifyAll(next)
}

// Resume takes a place again for an operation that was paused. It waits for one, before
// the instances of the same namespace that have not begun, until the context ends: the
// operation then goes on without, to its end.
func (t *Limiter) Resume(ctx context.Context, instance types.NamespacedName) {
	t.mu.Lock()
	k, known := t.waiters[instance]
	if !known || k.state != paused {
		t.mu.Unlock()
		return
	}
	n := k.namespace
	if t.hasSlotFor(n) {
		t.grantResume(k)
		t.waitingNamespaces.reorder(n)
		t.mu.Unlock()
		return
	}
	k.resumed = make(chan struct{})
	k.element = n.queue.PushFront(k)
	t.waitingNamespaces.reorder(n)
	t.mu.Unlock()
	select {
	case <-k.resumed:
	case <-ctx.Done():
		t.mu.Lock()
		if k.state == paused {
			n.queue.Remove(k.element)
			t.waitingNamespaces.reorder(n)
		}
		k.resumed = nil
		t.mu.Unlock()
	}
}

// goOn gives a place to an operation that was paused.
func (t *Limiter) grantResume(k *waiter) {
	t.setState(k, running)
	k.namespace.held++
	k.namespace.paused--
}

// Forget takes an instance out of the line, or gives back what is reserved for it:
// it needs no turn any more. A place that it has taken it keeps until Give.
func (t *Limiter) Cancel(instance types.NamespacedName) {
	t.removeIf(instance, func(k *waiter) bool { return !k.isUnderWay() })
}

// Running returns how many instances have an operation under way, paused ones included.
func (t *Limiter) Running() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.countByState[running] + t.countByState[paused]
}

// Waiting is how many instances are in line, or are told and have not come yet.
func (t *Limiter) Waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.countByState[waiting] + t.countByState[reserved]
}

// A ticket is an instance that has a place or waits for one.
type waiter struct {
	instance  types.NamespacedName
	namespace *namespace
	state     state
	element   *list.Element // in the queue of its namespace, or among the reserved
	expiresAt time.Time     // when a reservation lapses
	resumed   chan struct{} // closed when a paused operation that waits for a place has one
}

// isUnderWay reports whether the operation of the instance has begun.
func (k *waiter) isUnderWay() bool { return k.state == running || k.state == paused }

type state int

const (
	waiting state = iota
	reserved
	running
	paused
	states int = iota
)

// admit gives an instance that is new a place if its namespace may have one that is free,
// which is never so while another instance of the namespace waits, or else puts it in line.
func (t *Limiter) addWaiter(instance types.NamespacedName) *waiter {
	n := t.namespaces[instance.Namespace]
	if n == nil {
		n = &namespace{index: notInHeap}
		t.namespaces[instance.Namespace] = n
	}
	k := &waiter{instance: instance, namespace: n}
	if t.hasSlotFor(n) {
		k.state = running
		n.held++
	} else {
		k.state = waiting
		k.element = n.queue.PushBack(k)
	}
	t.waiters[instance] = k
	t.countByState[k.state]++
	t.waitingNamespaces.reorder(n)
	return k
}

// hasPlaceFor reports whether a place is free and the namespace may have it.
func (t *Limiter) hasSlotFor(n *namespace) bool {
	return t.countByState[running]+t.countByState[reserved] < t.limit && n.held < t.namespaceLimit
}

func (t *Limiter) setState(k *waiter, to state) {
	t.countByState[k.state]--
	t.countByState[to]++
	k.state = to
}

// leave drops the ticket of an instance if the function says so, and hands on what that
// frees.
func (t *Limiter) removeIf(instance types.NamespacedName, in func(*waiter) bool) {
	t.mu.Lock()
	var next []types.NamespacedName
	if k, known := t.waiters[instance]; known && in(k) {
		t.removeWaiter(k)
		next = t.reserveSlots()
	}
	t.mu.Unlock()
	t.notifyAll(next)
}

// drop forgets a ticket, and its namespace if there is nothing else of it.
func (t *Limiter) removeWaiter(k *waiter) {
	n := k.namespace
	switch k.state {
	case waiting:
		n.queue.Remove(k.element)
	case reserved:
		t.reservations.Remove(k.element)
		n.held--
	case running:
		n.held--
	case paused:
		n.paused--
	}
	t.countByState[k.state]--
	delete(t.waiters, k.instance)
	t.waitingNamespaces.reorder(n)
	if n.held == 0 && n.paused == 0 && n.queue.Len() == 0 {
		delete(t.namespaces, k.instance.Namespace)
	}
}

// reserve keeps the free places for those whose turn it is, and returns them.
func (t *Limiter) reserveSlots() []types.NamespacedName {
	var next []types.NamespacedName
	// The first namespace holds fewest: when it may have no more, none may.
	for len(t.waitingNamespaces.entries) > 0 && t.hasSlotFor(t.waitingNamespaces.entries[0]) {
		n := t.waitingNamespaces.entries[0]
		k := n.queue.Remove(n.queue.Front()).(*waiter)
		if k.state == paused {
			t.grantResume(k)
			close(k.resumed)
			t.waitingNamespaces.reorder(n)
			continue
		}
		t.setState(k, reserved)
		k.expiresAt = time.Now().Add(reservationTimeout)
		k.element = t.reservations.PushBack(k)
		n.held++
		t.waitingNamespaces.reorder(n)
		next = append(next, k.instance)
	}
	if len(next) > 0 {
		t.scheduleExpiry()
	}
	return next
}

// wake sets the timer to when the oldest reservation lapses.
func (t *Limiter) scheduleExpiry() {
	oldest := t.reservations.Front()
	if oldest == nil {
		return
	}
	left := time.Until(oldest.Value.(*waiter).expiresAt)
	if t.expiryTimer == nil {
		t.expiryTimer = time.AfterFunc(left, t.expireReservations)
		return
	}
	t.expiryTimer.Reset(left)
}

// lapse drops the reservations that are too old.
func (t *Limiter) expireReservations() {
	t.mu.Lock()
	for oldest := t.reservations.Front(); oldest != nil; oldest = t.reservations.Front() {
		k := oldest.Value.(*waiter)
		if time.Now().Before(k.expiresAt) {
			break
		}
		t.removeWaiter(k)
	}
	next := t.reserveSlots()
	t.scheduleExpiry()
	t.mu.Unlock()
	t.notifyAll(next)
}

func (t *Limiter) notifyAll(next []types.NamespacedName) {
	for _, instance := range next {
		t.notify(instance)
	}
}
