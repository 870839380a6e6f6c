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

// model is what Turns should do, in the plainest words: one list in the order of
// arrival, looked through from its beginning each time.
type model struct {
	limit    int
	queue    []string
	running  []string
	reserved []reservation
	// since is when a namespace came to hold what it holds, or came into the line.
	lastMove map[string]int
	moves    int
}

type reservation struct {
	who   string
	until time.Time
}

func namespaceOf(who string) string { return strings.Split(who, "/")[0] }

func (m *model) heldSlots(namespace string) int {
	count := 0
	for _, who := range m.running {
		if namespaceOf(who) == namespace {
			count++
		}
	}
	for _, p := range m.reserved {
		if namespaceOf(p.who) == namespace {
			count++
		}
	}
	return count
}

// mayHold reports whether the namespace of an instance may have one more place.
func (m *model) canHoldMore(who string) bool {
	return m.heldSlots(namespaceOf(who)) < max(m.limit/2, 1)
}

func (m *model) recordMove(who string) {
	m.moves++
	m.lastMove[namespaceOf(who)] = m.moves
}

func (m *model) indexOfReservation(who string) int {
	return slices.IndexFunc(m.reserved, func(p reservation) bool { return p.who == who })
}

func (m *model) tryAcquire(who string) bool {
	at := m.indexOfReservation(who)
	switch {
	case slices.Contains(m.running, who):
		return true
	case at >= 0:
		m.reserved = slices.Delete(m.reserved, at, at+1)
		m.running = append(m.running, who)
		return true
	case slices.Contains(m.queue, who):
		return false
	case len(m.running)+len(m.reserved) < m.limit && m.canHoldMore(who):
		m.running = append(m.running, who)
		m.recordMove(who)
		return true
	}
	alone := func(other string) bool { return namespaceOf(other) == namespaceOf(who) }
	if !slices.ContainsFunc(m.queue, alone) {
		m.recordMove(who)
	}
	m.queue = append(m.queue, who)
	return false
}

func (m *model) releaseSlot(who string) []string {
	if at := slices.Index(m.running, who); at >= 0 {
		m.running = slices.Delete(m.running, at, at+1)
		m.recordMove(who)
	}
	return m.fillSlots(time.Now())
}

func (m *model) cancelWait(who string) []string {
	if at := slices.Index(m.queue, who); at >= 0 {
		m.queue = slices.Delete(m.queue, at, at+1)
	}
	if at := m.indexOfReservation(who); at >= 0 {
		m.reserved = slices.Delete(m.reserved, at, at+1)
		m.recordMove(who)
	}
	return m.fillSlots(time.Now())
}

// lapse plays what happened in the time that has passed.
func (m *model) expireDue() []string {
	var told []string
	for len(m.reserved) > 0 && !time.Now().Before(m.reserved[0].until) {
		then := m.reserved[0].until
		for len(m.reserved) > 0 && m.reserved[0].until.Equal(then) {
			who := m.reserved[0].who
			m.reserved = m.reserved[1:]
			m.recordMove(who)
		}
		told = append(told, m.fillSlots(then)...)
	}
	return told
}

// fill gives each free place to the best of all that wait.
func (m *model) fillSlots(now time.Time) []string {
	var told []string
	for len(m.running)+len(m.reserved) < m.limit && slices.ContainsFunc(m.queue, m.canHoldMore) {
		best := 0
		for i, who := range m.queue {
			a, b := namespaceOf(who), namespaceOf(m.queue[best])
			if m.heldSlots(a) < m.heldSlots(b) || m.heldSlots(a) == m.heldSlots(b) && m.lastMove[a] < m.lastMove[b] {
				best = i
			}
		}
		who := m.queue[best]
		m.queue = slices.Delete(m.queue, best, best+1)
		m.reserved = append(m.reserved, reservation{who, now.Add(30 * time.Second)})
		m.recordMove(who)
		told = append(told, who)
	}
	return told
}

func TestLimiterMatchesTheModel(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			m := &model{limit: 1 + random.IntN(8), lastMove: map[string]int{}}
			s := newRecordingLimiter(m.limit)
			var done []string
			for range 300 {
				who := fmt.Sprintf("%c/%d", 'a'+random.IntN(4), random.IntN(6))
				verb, come := "", ""
				switch random.IntN(10) {
				case 0, 1, 2, 3:
					verb, come = "take "+who, map[bool]string{true: "yes", false: "line"}[m.tryAcquire(who)]
				case 4, 5, 6:
					verb, come = "give "+who, strings.Join(m.releaseSlot(who), " ")
				case 7:
					verb, come = "forget "+who, strings.Join(m.cancelWait(who), " ")
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

// TestTurnsOfManyAtOnce has many workers bring instances that come, wait to be told,
// work and come again. Some never take what is reserved for them.
func TestConcurrentWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, namespaces, names, rounds = 5, 7, 9, 20
		told := map[types.NamespacedName]chan struct{}{}
		for n := range namespaces {
			for i := range names {
				told[parseInstance(fmt.Sprintf("%d/%d", n, i))] = make(chan struct{}, 1)
			}
		}
		all := fairlimiter.New(limit, func(i types.NamespacedName) { told[i] <- struct{}{} })
		var busy, worked, lost atomic.Int64
		var full, over atomic.Bool
		work := func(who types.NamespacedName) {
			at := busy.Add(1)
			full.CompareAndSwap(false, at == limit)
			over.CompareAndSwap(false, at > limit)
			worked.Add(1)
			time.Sleep(time.Duration(1+rand.IntN(5)) * time.Millisecond)
			busy.Add(-1)
			all.Release(who)
		}
		var workers sync.WaitGroup
		for who, mine := range told {
			workers.Go(func() {
				for round := range rounds {
					if !all.TryAcquire(who) {
						<-mine
						if who.Name == "0" && round%10 == 5 {
							lost.Add(1)
							time.Sleep(time.Minute)
							continue
						}
						if !all.TryAcquire(who) {
							t.Errorf("%s was told and has no place", who)
						}
					}
					work(who)
				}
			})
		}
		workers.Wait()
		g := NewWithT(t)
		g.Expect(full.Load()).To(BeTrue(), "all places are used")
		g.Expect(over.Load()).To(BeFalse(), "and no more")
		g.Expect(worked.Load() + lost.Load()).To(BeEquivalentTo(namespaces * names * rounds))
		g.Expect(lost.Load()).NotTo(BeZero())
		g.Expect(all.Running() + all.Waiting()).To(BeZero())
	})
}
