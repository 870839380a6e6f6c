package fairlimiter

import (
	"container/list"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// waiter is an instance that has a slot or waits for one.
type waiter struct {
	instance  types.NamespacedName
	namespace *namespace
	state     state
	element   *list.Element // in the queue of its namespace, or in the list of reservations
	expiresAt time.Time     // expiry of a reservation
	resumed   chan struct{} // closed when a paused operation that waits for a slot gets one
	waited    time.Duration // time that the instance has waited for servers
	wait      *serverWait   // the current call of Await
	isEnded   bool          // the request was ended because its server is slow
}

// isUnderWay reports whether the operation of the instance has started.
func (w *waiter) isUnderWay() bool { return w.state == running || w.state == paused }

type state int

const (
	waiting state = iota
	reserved
	running
	paused
	states int = iota
)
