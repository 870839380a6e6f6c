// Package turns bounds how many instances Helm works on at once, fair among
// namespaces.
//
// The controller of instances has many workers, since most reconciles cost next to
// nothing; what costs is an operation of Helm. Whoever is about to run one takes a
// turn. While places are free it has one at once. Otherwise it is put in line and
// its worker goes on with something else; nobody sleeps here. When a place is given
// back it is reserved for the next in line, who is told and takes it.
//
// The next is of the namespace that holds the fewest places; of several such, of
// the one that has held so few for longest; and in a namespace, whoever came first.
// With one place that is round robin. With more of them, neither a thousand waiting
// nor a few operations that never seem to end keep another namespace from the
// places that it gives back itself.
//
// An instance may be gone when its turn comes. A reservation that nobody takes goes
// to the next in line after half a minute.
package turns

import (
	"container/list"
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
	notify func(types.NamespacedName)

	mu         sync.Mutex
	tickets    map[types.NamespacedName]*ticket
	namespaces map[string]*namespace
	count      [3]int // tickets by state
	line       line
	reserved   list.List // of tickets, the oldest reservation first
	lapses     *time.Timer
}

// New makes Turns of so many places; fewer than one count as one. notify is called
// for an instance that waited, once a place is reserved for it: the next Take of it
// succeeds, if it comes within 30 seconds. It is called by whoever gave the place
// back, or by a timer, without a lock: it may call Turns, and should not block.
func New(limit int, notify func(types.NamespacedName)) *Turns {
	return &Turns{
		limit: max(limit, 1), notify: notify,
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
	return k.state == running
}

// Give gives the place of an instance back. It does nothing for one that has not
// taken any, even if one is reserved for it.
func (t *Turns) Give(instance types.NamespacedName) {
	t.leave(instance, func(s state) bool { return s == running })
}

// Forget takes an instance out of the line, or gives back what is reserved for it:
// it needs no turn any more. A place that it has taken it keeps until Give.
func (t *Turns) Forget(instance types.NamespacedName) {
	t.leave(instance, func(s state) bool { return s != running })
}

// Running is how many instances have taken a place.
func (t *Turns) Running() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count[running]
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
}

type state int

const (
	waiting state = iota
	reserved
	running
)

// admit gives an instance that is new a place if one is free, which is never so
// while anybody waits, or else puts it in line.
func (t *Turns) admit(instance types.NamespacedName) *ticket {
	n := t.namespaces[instance.Namespace]
	if n == nil {
		n = &namespace{index: outside}
		t.namespaces[instance.Namespace] = n
	}
	k := &ticket{instance: instance, namespace: n}
	if t.free() {
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

func (t *Turns) free() bool { return t.count[running]+t.count[reserved] < t.limit }

func (t *Turns) turn(k *ticket, to state) {
	t.count[k.state]--
	t.count[to]++
	k.state = to
}

// leave drops the ticket of an instance if it is in such a state, and hands on what
// that frees.
func (t *Turns) leave(instance types.NamespacedName, in func(state) bool) {
	t.mu.Lock()
	var next []types.NamespacedName
	if k, known := t.tickets[instance]; known && in(k.state) {
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
	}
	t.count[k.state]--
	delete(t.tickets, k.instance)
	t.line.place(n)
	if n.held == 0 && n.queue.Len() == 0 {
		delete(t.namespaces, k.instance.Namespace)
	}
}

// reserve keeps the free places for those whose turn it is, and returns them.
func (t *Turns) reserve() []types.NamespacedName {
	var next []types.NamespacedName
	for t.free() && len(t.line.waiting) > 0 {
		n := t.line.waiting[0]
		k := n.queue.Remove(n.queue.Front()).(*ticket)
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
