package images

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestCacheIsBounded(t *testing.T) {
	g := NewWithT(t)
	c, now := newCache(maxCachedBytes), time.Now()
	for i := range 3 * maxEntries {
		e, isNew := c.entryFor(fmt.Sprint(i), now)
		g.Expect(isNew).To(BeTrue())
		if i%2 == 0 { // The others are still fetched.
			c.completeEntry(e, make([]byte, 12<<10), now)
		}
	}
	g.Expect(c.order.Len()).To(BeNumerically("<=", maxEntries))
	g.Expect(c.entries).To(HaveLen(c.order.Len()))
	g.Expect(c.bytes).To(BeNumerically("<=", maxCachedBytes))
	for c.order.Len() > 0 {
		c.removeElement(c.order.Back())
	}
	g.Expect(c.bytes).To(BeZero())

	failed, _ := c.entryFor("failed", now)
	c.completeEntry(failed, nil, now)
	_, isNew := c.entryFor("failed", now.Add(retriedAfter-time.Second))
	g.Expect(isNew).To(BeFalse())
	_, isNew = c.entryFor("failed", now.Add(retriedAfter+time.Second))
	g.Expect(isNew).To(BeTrue(), "a failure is fetched again later")
}
