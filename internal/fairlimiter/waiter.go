package fairlimiter

import (
	"container/list"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

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
func (w *waiter) isUnderWay() bool { return w.state == running || w.state == paused }

type state int

const (
	waiting state = iota
	reserved
	running
	paused
	states int = iota
)
