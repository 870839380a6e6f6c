// Package leaderfence keeps a former leader from doing harm.
//
// Of several replicas the one acts that holds a lease. It renews the lease all the
// time, and ends when it cannot. But a process may be stopped in the middle of its
// work, by a signal, a frozen machine or a long pause, and when it goes on it does
// not know yet that another has taken over. What it writes then meets what the
// other writes.
//
// A Fence stands in front of the cluster and refuses writes as soon as somebody
// else may hold the lease. It believes in the lease from the moment before a
// request to renew it was sent, if that went well, and for nine tenths of the time
// that others grant it: whoever wants to take over waits for all of that time, from
// a later moment on. The last tenth is for clocks that differ and for requests that
// are on their way.
//
// Once a leader has lost the lease, its work is in pieces, and a new leader picks
// those up better than itself. So it does not renew the lease any more, and ends.
//
// A write is looked at when it is asked for, when its body leaves, and when its last
// bytes are handed to the kernel. What no fence of this side can hold back is what
// the network has already, and what no lease shows is that a person deletes it.
package leaderfence

import (
	"errors"
	"sync"
	"time"
)

// ErrFenced is why a write was not sent: another process may be the leader.
var ErrFenced = errors.New("the leader's lease is not held by this process")

// Fence knows until when the lease is held for certain. It is closed until that is
// so for the first time. Its methods may be called side by side.
type Fence struct {
	now func() clockReading

	mu sync.Mutex
	// led is that the lease was held once.
	hasLed bool
	// asked is when the request was made by which the lease is held.
	requestedAt clockReading
	// term is how long from then on the lease is held; zero if it is not.
	term time.Duration
	// broken is that the lease was found lost while there was work to do.
	broken bool
}

// New makes a Fence that is closed. Its Lock is for the elector, its Config for
// everything else that talks to the cluster. Where there is no election no Fence is
// needed.
func New() *Fence { return &Fence{now: newClocks()} }

// Open reports whether a write would be let through now.
func (f *Fence) Open() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.isHeld()
}

func (f *Fence) isHeld() bool {
	return !f.broken && f.term > 0 && f.now().elapsedSince(f.requestedAt) < f.term
}

// pass lets a write through if the lease is held.
func (f *Fence) allowWrite() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isHeld() {
		return nil
	}
	f.broken = f.hasLed
	return ErrFenced
}

// carry lets bytes through, of whatever request, unless the lease was held and is
// not any more. Those of a process that has not led yet ask for no change.
func (f *Fence) allowBytes() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.hasLed || f.isHeld() {
		return nil
	}
	f.broken = true
	return ErrFenced
}

// ask notes the time before a request for the lease. There are none from behind a
// broken fence.
func (f *Fence) beginRequest() (clockReading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		return clockReading{}, ErrFenced
	}
	return f.now(), nil
}

// hold opens the fence: the lease was granted for a while to a request of that time.
func (f *Fence) extendLease(asked clockReading, granted time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hasLed, f.requestedAt, f.term = true, asked, granted-granted/10
}

// release closes the fence: the lease is given up.
func (f *Fence) closeFence() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.term = 0
}

// lose breaks the fence of a leader: the lease is known to be another's.
func (f *Fence) invalidateLease() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = f.hasLed
}

// reading is what two clocks show. The running one is steady, and stands still
// while the machine sleeps; the one on the wall goes on, and may be set.
type clockReading struct {
	running time.Duration
	wall    time.Time
}

// since is how much time has passed, at most.
func (r clockReading) elapsedSince(earlier clockReading) time.Duration {
	return max(r.running-earlier.running, r.wall.Sub(earlier.wall))
}

func newClocks() func() clockReading {
	start := time.Now()
	return func() clockReading {
		now := time.Now()
		return clockReading{running: now.Sub(start), wall: now.Round(0)} // Round drops the running one.
	}
}
