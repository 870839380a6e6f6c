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

// Give gives the place of an instance back. It does nothing for one that has not
// taken any, even if one is reserved for it.
func (l *Limiter) Release(instance types.NamespacedName) {
	l.removeIf(instance, (*waiter).isUnderWay)
}

// Forget takes an instance out of the line, or gives back what is reserved for it:
// it needs no turn any more. A place that it has taken it keeps until Give.
func (l *Limiter) Cancel(instance types.NamespacedName) {
	l.removeIf(instance, func(w *waiter) bool { return !w.isUnderWay() })
}

// Running returns how many instances have an operation under way, paused ones included.
func (l *Limiter) Running() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.countByState[running] + l.countByState[paused]
}

// Waiting is how many instances are in line, or are told and have not come yet.
func (l *Limiter) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.countByState[waiting] + l.countByState[reserved]
}

// admit gives an instance that is new a place if its namespace may have one that is free,
// which is never so while another instance of the namespace waits, or else puts it in line.
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

// hasPlaceFor reports whether a place is free and the namespace may have it.
func (l *Limiter) hasSlotFor(n *namespace) bool {
	return l.countByState[running]+l.countByState[reserved] < l.limit && n.held < l.namespaceLimit
}

func (l *Limiter) setState(w *waiter, to state) {
	l.countByState[w.state]--
	l.countByState[to]++
	w.state = to
}

// leave drops the ticket of an instance if the function says so, and hands on what that
// frees.
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

// drop forgets a ticket, and its namespace if there is nothing else of it.
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
	l.countByState[w.state]--
	delete(l.waiters, w.instance)
	l.waitingNamespaces.reorder(n)
	if n.held == 0 && n.paused == 0 && n.queue.Len() == 0 {
		delete(l.namespaces, w.instance.Namespace)
	}
}

// reserve keeps the free places for those whose turn it is, and returns them.
func (l *Limiter) reserveSlots() []types.NamespacedName {
	var next []types.NamespacedName
	// The first namespace holds fewest: when it may have no more, none may.
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

// wake sets the timer to when the oldest reservation lapses.
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

// lapse drops the reservations that are too old.
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
