package fairsemaphore

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// TestSlotsAreFair fills the queue of one namespace before other namespaces wait.
func TestSlotsAreFair(t *testing.T) {
	g := NewWithT(t)
	p := New(2)
	var mu sync.Mutex
	var order []string
	var all sync.WaitGroup
	begin := func(namespace, name string) {
		before := p.countWaiting()
		all.Go(func() {
			if err := p.Acquire(t.Context(), namespace); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
			p.Release(namespace)
		})
		g.Eventually(p.countWaiting).Should(Equal(before + 1))
	}
	g.Expect(p.Acquire(t.Context(), "many")).To(Succeed())
	g.Expect(p.Acquire(t.Context(), "many")).To(Succeed())
	for i := range 5 {
		begin("many", fmt.Sprint("many ", i))
	}
	begin("few", "few 0")
	begin("few", "few 1")
	begin("other", "other 0")
	p.Release("many")
	all.Wait()
	g.Expect(order).To(HaveLen(8))
	g.Expect(order[0]).To(Or(Equal("few 0"), Equal("other 0")), "namespaces without a slot come first")
	g.Expect(order[:3]).To(ConsistOf("few 0", "few 1", "other 0"), "the namespace with a slot comes last")
	p.Release("many")
	g.Expect([]any{p.free, len(p.waiting), len(p.held), len(p.turn)}).To(Equal([]any{2, 0, 0, 0}), "no namespace is stored")
}

func TestWaitEndsWithTheContext(t *testing.T) {
	g := NewWithT(t)
	p := New(1)
	g.Expect(p.Acquire(t.Context(), "a")).To(Succeed())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	g.Expect(p.Acquire(ctx, "b")).To(MatchError(context.DeadlineExceeded))
	p.Release("a")
	g.Expect(p.Acquire(t.Context(), "c")).To(Succeed(), "no namespace is waiting any more")
	p.Release("c")
	g.Expect(p.free).To(Equal(1))
}

// countWaiting returns the number of waiting callers.
func (s *Semaphore) countWaiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, queue := range s.waiting {
		count += len(queue)
	}
	return count
}
