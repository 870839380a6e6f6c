package worker

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// TestPlacesAreFair fills the queue of one namespace before other namespaces wait.
func TestPlacesAreFair(t *testing.T) {
	g := NewWithT(t)
	p := newSlots(2)
	var mu sync.Mutex
	var order []string
	var all sync.WaitGroup
	begin := func(namespace, name string) {
		before := p.waitingLine()
		all.Go(func() {
			if err := p.acquireSlot(t.Context(), namespace); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
			p.releaseSlot(namespace)
		})
		g.Eventually(p.waitingLine).Should(Equal(before + 1))
	}
	g.Expect(p.acquireSlot(t.Context(), "many")).To(Succeed())
	g.Expect(p.acquireSlot(t.Context(), "many")).To(Succeed())
	for i := range 5 {
		begin("many", fmt.Sprint("many ", i))
	}
	begin("few", "few 0")
	begin("few", "few 1")
	begin("other", "other 0")
	p.releaseSlot("many")
	all.Wait()
	g.Expect(order).To(HaveLen(8))
	g.Expect(order[0]).To(Or(Equal("few 0"), Equal("other 0")), "who holds nothing comes first")
	g.Expect(order[:3]).To(ConsistOf("few 0", "few 1", "other 0"), "who holds a place still comes last")
	p.releaseSlot("many")
	g.Expect([]any{p.free, len(p.waiting), len(p.held), len(p.turn)}).To(Equal([]any{2, 0, 0, 0}), "nothing is kept of who has gone")
}

func TestPlacesAreGivenUp(t *testing.T) {
	g := NewWithT(t)
	p := newSlots(1)
	g.Expect(p.acquireSlot(t.Context(), "a")).To(Succeed())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	g.Expect(p.acquireSlot(ctx, "b")).To(MatchError(context.DeadlineExceeded))
	p.releaseSlot("a")
	g.Expect(p.acquireSlot(t.Context(), "c")).To(Succeed(), "no caller waits any more")
	p.releaseSlot("c")
	g.Expect(p.free).To(Equal(1))
}

// waitingLine returns the number of waiting orders.
func (p *slots) waitingLine() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := 0
	for _, line := range p.waiting {
		count += len(line)
	}
	return count
}
