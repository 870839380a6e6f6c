package fairlimiter

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// patience is the total time for which an instance keeps its slot while it waits for servers. After it,
// the instance is slow.
const patience = 2 * time.Second

// pausedPerSlow is the number of instances without a slot for each slow one, including those that wait for a slot
// after their requests.
const pausedPerSlow = 2

// ErrTooSlow is the error of a request that was ended because its server responds slowly while other
// namespaces wait.
var ErrTooSlow = errors.New("the server responds slowly, and the request was ended because sources of other namespaces waited: it is retried")

// serverWait is a call of Await.
type serverWait struct {
	*waiter
	begin time.Time
	timer *time.Timer
	end   context.CancelCauseFunc
}

// NewForServers returns a Limiter for work that is short except for requests to servers, which the work
// sends in Await. At most maxSlow requests wait for slow servers without a slot.
func NewForServers(limit, maxSlow int, notify func(types.NamespacedName)) *Limiter {
	l := NewForShortWork(limit, notify)
	l.maxSlow = maxSlow
	return l
}

// MaxUnderWay returns the number of instances that are under way at the same time, with or without a slot. Each
// uses a worker.
func (l *Limiter) MaxUnderWay() int { return l.limit + pausedPerSlow*l.maxSlow }

// Await runs a function that sends requests to servers, for an instance with a slot. If the requests take
// long, the instance releases its slot, and acquires a slot again after them.
//
// The number of slow requests is limited. If the limit is reached and another namespace waits for a slot, the
// oldest request of the namespace with the most slow ones is ended: its context ends, and Await returns
// ErrTooSlow, as all further calls for the instance do until its Release. Otherwise the instance keeps its slot.
func (l *Limiter) Await(ctx context.Context, instance types.NamespacedName, request func(context.Context) error) error {
	bounded, end := context.WithCancelCause(ctx)
	defer end(nil)
	s, err := l.beginWait(instance, end)
	if err != nil {
		return err
	}
	if s == nil {
		return request(ctx)
	}
	err = l.runRequest(bounded, s, request)
	if err != nil && errors.Is(context.Cause(bounded), ErrTooSlow) {
		return ErrTooSlow
	}
	l.Resume(ctx, instance)
	return err
}

// beginWait returns the wait of an instance with a slot, nil for others. It releases the slot if the instance is
// already slow.
func (l *Limiter) beginWait(instance types.NamespacedName, end context.CancelCauseFunc) (*serverWait, error) {
	l.mu.Lock()
	w, known := l.waiters[instance]
	if !known || !w.isUnderWay() || l.maxSlow == 0 {
		l.mu.Unlock()
		return nil, nil
	}
	if w.isEnded {
		l.mu.Unlock()
		return nil, ErrTooSlow
	}
	s := &serverWait{waiter: w, begin: time.Now(), end: end}
	w.wait = s
	s.timer = time.AfterFunc(max(patience-w.waited, 0), func() { l.releaseSlow(s) })
	l.mu.Unlock()
	return s, nil
}

// runRequest runs a request, and ends its wait.
func (l *Limiter) runRequest(ctx context.Context, s *serverWait, request func(context.Context) error) (err error) {
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		s.timer.Stop()
		s.waiter.wait = nil
		s.waited += time.Since(s.begin)
		l.removeSlow(s)
		if s.isEnded && err == nil { // The response arrived in the meantime.
			l.forgetEnd(s.waiter)
		}
	}()
	return request(ctx)
}

// releaseSlow releases the slot of a slow instance, if there is room among the slow ones. Otherwise it tries again
// later.
func (l *Limiter) releaseSlow(s *serverWait) {
	l.mu.Lock()
	var next []types.NamespacedName
	switch {
	case s.waiter.wait != s || s.state != running:
	case !l.makeRoom(s):
		s.timer.Reset(patience)
	default:
		l.pauseWaiter(s.waiter)
		l.slow = append(l.slow, s)
		next = l.reserveSlots()
	}
	l.mu.Unlock()
	l.notifyAll(next)
}

// makeRoom reports whether there is room for another slow instance. If necessary and if another namespace waits, it
// ends the oldest request of the namespace with the most slow ones. Instances that have a response and wait for a slot
// are no longer slow, but their number is limited too.
func (l *Limiter) makeRoom(another *serverWait) bool {
	if len(l.slow) < l.maxSlow && l.countByState[paused]-l.ended < pausedPerSlow*l.maxSlow {
		return true
	}
	oldest := oldestOfLargest(append(slices.Clone(l.slow), another))
	if !l.isNeededByOthers(oldest.namespace) {
		return false
	}
	oldest.isEnded = true
	oldest.end(ErrTooSlow)
	if oldest == another {
		return false
	}
	l.ended++
	l.removeSlow(oldest)
	return true
}

// oldestOfLargest returns the oldest wait of the namespace with the most.
func oldestOfLargest(waits []*serverWait) *serverWait {
	counts := map[*namespace]int{}
	for _, s := range waits {
		counts[s.namespace]++
	}
	found := waits[0]
	for _, s := range waits {
		if counts[s.namespace] > counts[found.namespace] {
			found = s
		}
	}
	return found
}

// isNeededByOthers reports whether another namespace waits for a slot.
func (l *Limiter) isNeededByOthers(n *namespace) bool {
	return slices.ContainsFunc(l.waitingNamespaces.entries, func(other *namespace) bool { return other != n })
}

// forgetEnd forgets that the request of an instance was ended.
func (l *Limiter) forgetEnd(w *waiter) {
	if w.isEnded && w.state == paused {
		l.ended--
	}
	w.isEnded = false
}

// removeSlow removes a wait from the slow ones, if it is one.
func (l *Limiter) removeSlow(s *serverWait) {
	l.slow = slices.DeleteFunc(l.slow, func(other *serverWait) bool { return other == s })
}
