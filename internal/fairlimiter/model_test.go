package fairlimiter_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/internal/fairlimiter"
)

// model is a simple implementation of the Limiter: one list in order of arrival, which is
// searched from its beginning each time.
type model struct {
	limit    int
	queue    []string
	running  []string
	reserved []reservation
	// lastMove is the number of the last change of the slots of a namespace.
	lastMove map[string]int
	moves    int
}

type reservation struct {
	name  string
	until time.Time
}

func namespaceOf(name string) string { return strings.Split(name, "/")[0] }

func (m *model) heldSlots(namespace string) int {
	count := 0
	for _, name := range m.running {
		if namespaceOf(name) == namespace {
			count++
		}
	}
	for _, p := range m.reserved {
		if namespaceOf(p.name) == namespace {
			count++
		}
	}
	return count
}

// canHoldMore reports whether the namespace of an instance may have another slot.
func (m *model) canHoldMore(name string) bool {
	return m.heldSlots(namespaceOf(name)) < max(m.limit/2, 1)
}

func (m *model) recordMove(name string) {
	m.moves++
	m.lastMove[namespaceOf(name)] = m.moves
}

func (m *model) indexOfReservation(name string) int {
	return slices.IndexFunc(m.reserved, func(p reservation) bool { return p.name == name })
}

func (m *model) tryAcquire(name string) bool {
	at := m.indexOfReservation(name)
	switch {
	case slices.Contains(m.running, name):
		return true
	case at >= 0:
		m.reserved = slices.Delete(m.reserved, at, at+1)
		m.running = append(m.running, name)
		return true
	case slices.Contains(m.queue, name):
		return false
	case len(m.running)+len(m.reserved) < m.limit && m.canHoldMore(name):
		m.running = append(m.running, name)
		m.recordMove(name)
		return true
	}
	alone := func(other string) bool { return namespaceOf(other) == namespaceOf(name) }
	if !slices.ContainsFunc(m.queue, alone) {
		m.recordMove(name)
	}
	m.queue = append(m.queue, name)
	return false
}

func (m *model) releaseSlot(name string) []string {
	if at := slices.Index(m.running, name); at >= 0 {
		m.running = slices.Delete(m.running, at, at+1)
		m.recordMove(name)
	}
	return m.fillSlots(time.Now())
}

func (m *model) cancelWait(name string) []string {
	if at := slices.Index(m.queue, name); at >= 0 {
		m.queue = slices.Delete(m.queue, at, at+1)
	}
	if at := m.indexOfReservation(name); at >= 0 {
		m.reserved = slices.Delete(m.reserved, at, at+1)
		m.recordMove(name)
	}
	return m.fillSlots(time.Now())
}

// expireDue expires reservations for the elapsed time.
func (m *model) expireDue() []string {
	var notified []string
	for len(m.reserved) > 0 && !time.Now().Before(m.reserved[0].until) {
		then := m.reserved[0].until
		for len(m.reserved) > 0 && m.reserved[0].until.Equal(then) {
			name := m.reserved[0].name
			m.reserved = m.reserved[1:]
			m.recordMove(name)
		}
		notified = append(notified, m.fillSlots(then)...)
	}
	return notified
}

// fillSlots reserves each free slot for the best waiting instance.
func (m *model) fillSlots(now time.Time) []string {
	var notified []string
	for len(m.running)+len(m.reserved) < m.limit && slices.ContainsFunc(m.queue, m.canHoldMore) {
		best := 0
		for i, name := range m.queue {
			a, b := namespaceOf(name), namespaceOf(m.queue[best])
			if m.heldSlots(a) < m.heldSlots(b) || m.heldSlots(a) == m.heldSlots(b) && m.lastMove[a] < m.lastMove[b] {
				best = i
			}
		}
		name := m.queue[best]
		m.queue = slices.Delete(m.queue, best, best+1)
		m.reserved = append(m.reserved, reservation{name, now.Add(30 * time.Second)})
		m.recordMove(name)
		notified = append(notified, name)
	}
	return notified
}

func TestLimiterMatchesTheModel(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			m := &model{limit: 1 + random.IntN(8), lastMove: map[string]int{}}
			s := newRecordingLimiter(m.limit)
			var done []string
			for range 300 {
				name := fmt.Sprintf("%c/%d", 'a'+random.IntN(4), random.IntN(6))
				verb, come := "", ""
				switch random.IntN(10) {
				case 0, 1, 2, 3:
					verb, come = "acquire "+name, map[bool]string{true: "granted", false: "queued"}[m.tryAcquire(name)]
				case 4, 5, 6:
					verb, come = "release "+name, strings.Join(m.releaseSlot(name), " ")
				case 7:
					verb, come = "cancel "+name, strings.Join(m.cancelWait(name), " ")
				default:
					verb = fmt.Sprintf("wait %ds", random.IntN(13))
				}
				done = append(done, verb)
				came := s.runStep(verb)
				if strings.HasPrefix(verb, "wait") {
					come = strings.Join(m.expireDue(), " ")
				}
				g := NewWithT(t)
				g.Expect(came).To(Equal(come), "seed %d: %v", seed, done)
				g.Expect(s.Running()).To(Equal(len(m.running)), "seed %d: %v", seed, done)
				g.Expect(s.Waiting()).To(Equal(len(m.queue)+len(m.reserved)), "seed %d: %v", seed, done)
			}
		})
	}
}

// TestConcurrentWorkers runs many workers, whose instances wait for their notification, work
// and return. Some instances never use their reservation.
func TestConcurrentWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, namespaces, names, rounds = 5, 7, 9, 20
		notified := map[types.NamespacedName]chan struct{}{}
		for n := range namespaces {
			for i := range names {
				notified[parseInstance(fmt.Sprintf("%d/%d", n, i))] = make(chan struct{}, 1)
			}
		}
		all := fairlimiter.New(limit, func(i types.NamespacedName) { notified[i] <- struct{}{} })
		var busy, worked, lost atomic.Int64
		var full, over atomic.Bool
		work := func(name types.NamespacedName) {
			at := busy.Add(1)
			full.CompareAndSwap(false, at == limit)
			over.CompareAndSwap(false, at > limit)
			worked.Add(1)
			time.Sleep(time.Duration(1+rand.IntN(5)) * time.Millisecond)
			busy.Add(-1)
			all.Release(name)
		}
		var workers sync.WaitGroup
		for name, mine := range notified {
			workers.Go(func() {
				for round := range rounds {
					if !all.TryAcquire(name) {
						<-mine
						if name.Name == "0" && round%10 == 5 {
							lost.Add(1)
							time.Sleep(time.Minute)
							continue
						}
						if !all.TryAcquire(name) {
							t.Errorf("%s was notified and has no slot", name)
						}
					}
					work(name)
				}
			})
		}
		workers.Wait()
		g := NewWithT(t)
		g.Expect(full.Load()).To(BeTrue(), "all slots are used")
		g.Expect(over.Load()).To(BeFalse(), "no more than the limit run")
		g.Expect(worked.Load() + lost.Load()).To(BeEquivalentTo(namespaces * names * rounds))
		g.Expect(lost.Load()).NotTo(BeZero())
		g.Expect(all.Running() + all.Waiting()).To(BeZero())
	})
}
