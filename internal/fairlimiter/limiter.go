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
const reservation = 30 * time.Second

// Turns gives places to instances. It keeps only those that have a place or wait
// for one. Its methods may be called side by side.
type Turns struct {
	limit  int
	share  int // of the places that one namespace may have
	notify func(types.NamespacedName)

	mu         sync.Mutex
	tickets    map[types.NamespacedName]*ticket
	namespaces map[string]*namespace
	count      [states]int // tickets by state
	line       line
	reserved   list.List // of tickets, the oldest reservation first
	lapses     *time.Timer
}

// New makes Turns of so many places; fewer than one count as one. notify is called
// for an instance that waited, once a place is reserved for it: the next Take of it
// succeeds, if it comes within 30 seconds. It is called by whoever gave the place
// back, or by a timer, without a lock: it may call Turns, and should not block.
func New(limit int, notify func(types.NamespacedName)) *Turns {
	return newTurns(max(limit, 1), max(limit/2, 1), notify)
}

// NewBrief makes Turns for work that ends by itself: one namespace may have all places
// but a quarter, and but one.
func NewBrief(limit int, notify func(types.NamespacedName)) *Turns {
	limit = max(limit, 1)
	return newTurns(limit, max(limit-max(limit/4, 1), 1), notify)
}

func newTurns(limit, share int, notify func(types.NamespacedName)) *Turns {
	return &Turns{
		limit: limit, share: share, notify: notify,
		tickets: map[types.NamespacedName]*ticket{}, namespaces: map[string]*namespace{},
	}
}

// Take reports whether the instance has a place now, new or from before. It has
// not if all are in use; then it is in line, where it keeps its position however
// often it asks.
func (t *Turns) Take(instance types.NamespacedName) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, known := t.tickets[instance]
	switch {
	case !known:
		k = t.admit(instance)
	case k.state == reserved:
		t.reserved.Remove(k.at)
		t.turn(k, running)
	}
	return k.isUnderWay()
}

// Give gives the place of an instance back. It does nothing for one that has not
// taken any, even if one is reserved for it.
func (t *Turns) Give(instance types.NamespacedName) {
	t.leave(instance, (*ticket).isUnderWay)
}

// pausedPerPlace bounds the operations that are paused, for each place.
const pausedPerPlace = 4

// Pause gives the place of an instance to others while its operation only waits. The
// operation goes on after Resume. It does nothing for an instance without a place, and
// where too many are paused.
func (t *Turns) Pause(instance types.NamespacedName) {
	t.mu.Lock()
	var next []types.NamespacedName
	k, known := t.tickets[instance]
	if known && k.state == running && t.count[paused] < pausedPerPlace*t.limit && k.namespace.paused < t.limit {
		t.turn(k, paused)
		k.namespace.held--
		k.namespace.paused++
		t.line.place(k.namespace)
		next = t.reserve()
	}
	t.mu.Unlock()
	t.tell(next)
}

// Resume takes a place again for an operation that was paused. It waits for one, before
// the instances of the same namespace that have not begun, until the context ends: the
// operation then goes on without, to its end.
func (t *Turns) Resume(ctx context.Context, instance types.NamespacedName) {
	t.mu.Lock()
	k, known := t.tickets[instance]
	if !known || k.state != paused {
		t.mu.Unlock()
		return
	}
	n := k.namespace
	if t.hasPlaceFor(n) {
		t.goOn(k)
		t.line.place(n)
		t.mu.Unlock()
		return
	}
	k.resumed = make(chan struct{})
	k.at = n.queue.PushFront(k)
	t.line.place(n)
	t.mu.Unlock()
	select {
	case <-k.resumed:
	case <-ctx.Done():
		t.mu.Lock()
		if k.state == paused {
			n.queue.Remove(k.at)
			t.line.place(n)
		}
		k.resumed = nil
		t.mu.Unlock()
	}
}

// goOn gives a place to an operation that was paused.
func (t *Turns) goOn(k *ticket) {
	t.turn(k, running)
	k.namespace.held++
	k.namespace.paused--
}

// Forget takes an instance out of the line, or gives back what is reserved for it:
// it needs no turn any more. A place that it has taken it keeps until Give.
func (t *Turns) Forget(instance types.NamespacedName) {
	t.leave(instance, func(k *ticket) bool { return !k.isUnderWay() })
}

// Running returns how many instances have an operation under way, paused ones included.
func (t *Turns) Running() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count[running] + t.count[paused]
}

// Waiting is how many instances are in line, or are told and have not come yet.
func (t *Turns) Waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count[waiting] + t.count[reserved]
}

// A ticket is an instance that has a place or waits for one.
type ticket struct {
	instance  types.NamespacedName
	namespace *namespace
	state     state
	at        *list.Element // in the queue of its namespace, or among the reserved
	until     time.Time     // when a reservation lapses
	resumed   chan struct{} // closed when a paused operation that waits for a place has one
}

// isUnderWay reports whether the operation of the instance has begun.
func (k *ticket) isUnderWay() bool { return k.state == running || k.state == paused }

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
func (t *Turns) admit(instance types.NamespacedName) *ticket {
	n := t.namespaces[instance.Namespace]
	if n == nil {
		n = &namespace{index: outside}
		t.namespaces[instance.Namespace] = n
	}
	k := &ticket{instance: instance, namespace: n}
	if t.hasPlaceFor(n) {
		k.state = running
		n.held++
	} else {
		k.state = waiting
		k.at = n.queue.PushBack(k)
	}
	t.tickets[instance] = k
	t.count[k.state]++
	t.line.place(n)
	return k
}

// hasPlaceFor reports whether a place is free and the namespace may have it.
func (t *Turns) hasPlaceFor(n *namespace) bool {
	return t.count[running]+t.count[reserved] < t.limit && n.held < t.share
}

func (t *Turns) turn(k *ticket, to state) {
	t.count[k.state]--
	t.count[to]++
	k.state = to
}

// leave drops the ticket of an instance if the function says so, and hands on what that
// frees.
func (t *Turns) leave(instance types.NamespacedName, in func(*ticket) bool) {
	t.mu.Lock()
	var next []types.NamespacedName
	if k, known := t.tickets[instance]; known && in(k) {
		t.drop(k)
		next = t.reserve()
	}
	t.mu.Unlock()
	t.tell(next)
}

// drop forgets a ticket, and its namespace if there is nothing else of it.
func (t *Turns) drop(k *ticket) {
	n := k.namespace
	switch k.state {
	case waiting:
		n.queue.Remove(k.at)
	case reserved:
		t.reserved.Remove(k.at)
		n.held--
	case running:
		n.held--
	case paused:
		n.paused--
	}
	t.count[k.state]--
	delete(t.tickets, k.instance)
	t.line.place(n)
	if n.held == 0 && n.paused == 0 && n.queue.Len() == 0 {
		delete(t.namespaces, k.instance.Namespace)
	}
}

// reserve keeps the free places for those whose turn it is, and returns them.
func (t *Turns) reserve() []types.NamespacedName {
	var next []types.NamespacedName
	// The first namespace holds fewest: when it may have no more, none may.
	for len(t.line.waiting) > 0 && t.hasPlaceFor(t.line.waiting[0]) {
		n := t.line.waiting[0]
		k := n.queue.Remove(n.queue.Front()).(*ticket)
		if k.state == paused {
			t.goOn(k)
			close(k.resumed)
			t.line.place(n)
			continue
		}
		t.turn(k, reserved)
		k.until = time.Now().Add(reservation)
		k.at = t.reserved.PushBack(k)
		n.held++
		t.line.place(n)
		next = append(next, k.instance)
	}
	if len(next) > 0 {
		t.wake()
	}
	return next
}

// wake sets the timer to when the oldest reservation lapses.
func (t *Turns) wake() {
	oldest := t.reserved.Front()
	if oldest == nil {
		return
	}
	left := time.Until(oldest.Value.(*ticket).until)
	if t.lapses == nil {
		t.lapses = time.AfterFunc(left, t.lapse)
		return
	}
	t.lapses.Reset(left)
}

// lapse drops the reservations that are too old.
func (t *Turns) lapse() {
	t.mu.Lock()
	for oldest := t.reserved.Front(); oldest != nil; oldest = t.reserved.Front() {
		k := oldest.Value.(*ticket)
		if time.Now().Before(k.until) {
			break
		}
		t.drop(k)
	}
	next := t.reserve()
	t.wake()
	t.mu.Unlock()
	t.tell(next)
}

func (t *Turns) tell(next []types.NamespacedName) {
	for _, instance := range next {
		t.notify(instance)
	}
}
