// Package leaderfence prevents a former leader from writing to the cluster.
//
// The leader among several replicas holds a lease and renews it continuously. A process
// exits when it cannot renew its lease. However, a process can be paused, by a signal, a
// frozen machine or a long garbage collection, and does not know when it resumes that
// another replica has taken over. Its writes would then conflict with the writes of the
// new leader.
//
// A Fence rejects writes as soon as another replica could hold the lease. It counts the
// lease as held from the moment before a successful renewal request was sent, for nine
// tenths of the lease duration. Other replicas wait for the full duration, counted from a
// later moment. The last tenth allows for clock differences and for requests in transit.
//
// A leader that loses its lease exits, because the new leader takes over unfinished work.
// It does not renew the lease again.
//
// A write is checked when it is requested, when its body is read, and when its last bytes
// are passed to the kernel. The Fence cannot recall bytes that are already on the network,
// and does not detect that a person deletes the lease.
package leaderfence

import (
	"errors"
	"sync"
	"time"
)

// ErrFenced is returned for a write that was not sent because another process could be
// the leader.
var ErrFenced = errors.New("this process does not hold the leader lease")

// Fence tracks how long the lease is certainly held. It is closed until the lease is
// acquired for the first time. It is safe for concurrent use.
type Fence struct {
	now func() clockReading

	mu sync.Mutex

	hasLed bool
	// requestedAt is the time of the request that acquired or last renewed the lease.
	requestedAt clockReading
	// term is the time after requestedAt for which the lease is held, zero if it is not held.
	term time.Duration
	// broken reports that the lease was lost while the process was the leader.
	broken bool
}

// New returns a closed Fence. Pass its Lock to the leader elector, and its Config to every
// other client of the cluster. Without leader election, no Fence is needed.
func New() *Fence { return &Fence{now: newClocks()} }

// Open reports whether a write is currently allowed.
func (f *Fence) Open() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.isHeld()
}

func (f *Fence) isHeld() bool {
	return !f.broken && f.term > 0 && f.now().elapsedSince(f.requestedAt) < f.term
}

// allowWrite returns ErrFenced if the lease is not held.
func (f *Fence) allowWrite() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isHeld() {
		return nil
	}
	f.broken = f.hasLed
	return ErrFenced
}

// allowBytes returns ErrFenced if the lease was held before and is not held any more. The
// requests of a process that has not been the leader yet are reads.
func (f *Fence) allowBytes() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.hasLed || f.isHeld() {
		return nil
	}
	f.broken = true
	return ErrFenced
}

// beginRequest returns the time before a request for the lease. It returns ErrFenced if the
// fence is broken.
func (f *Fence) beginRequest() (clockReading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		return clockReading{}, ErrFenced
	}
	return f.now(), nil
}

// extendLease opens the fence after the lease was granted to a request sent at that time.
func (f *Fence) extendLease(requestedAt clockReading, granted time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hasLed, f.requestedAt, f.term = true, requestedAt, granted-granted/10
}

// closeFence closes the fence because the lease is released.
func (f *Fence) closeFence() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.term = 0
}

// invalidateLease breaks the fence of a leader whose lease another process holds.
func (f *Fence) invalidateLease() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = f.hasLed
}

// clockReading is the time of two clocks. The monotonic clock stops while the machine
// sleeps. The wall clock does not stop, but can be set.
type clockReading struct {
	running time.Duration
	wall    time.Time
}

// elapsedSince returns the larger of the two elapsed times.
func (r clockReading) elapsedSince(earlier clockReading) time.Duration {
	return max(r.running-earlier.running, r.wall.Sub(earlier.wall))
}

// newClocks returns a function that reads both clocks.
func newClocks() func() clockReading {
	start := time.Now()
	return func() clockReading {
		now := time.Now()
		return clockReading{running: now.Sub(start), wall: now.Round(0)} // Round removes the monotonic time.
	}
}
