package appinstance

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
)

// TestCorrectedAgain sets the same wrong value after each correction.
func TestCorrectedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		var c driftTracker
		key := types.NamespacedName{Namespace: "tenant", Name: "mine"}
		var woken atomic.Int32
		due := func(mark string) bool { return c.isDue(key, mark, func(types.NamespacedName) { woken.Add(1) }) }

		g.Expect(due("wrong")).To(BeTrue())
		c.recordCheck(key, "wrong", true)
		for range 3 {
			g.Expect(due("wrong")).To(BeFalse(), "a backoff is in effect")
		}
		time.Sleep(firstBackoff)
		synctest.Wait()
		g.Expect(woken.Load()).To(Equal(int32(1)), "once, however often it was checked")
		g.Expect(due("wrong")).To(BeTrue(), "it was set again during the backoff")

		c.recordCheck(key, "wrong", true)
		g.Expect(due("wrong")).To(BeFalse())
		time.Sleep(firstBackoff)
		synctest.Wait()
		g.Expect([]any{woken.Load(), due("wrong")}).To(Equal([]any{int32(1), false}), "the next backoff is longer")
		time.Sleep(firstBackoff)
		synctest.Wait()
		g.Expect([]any{woken.Load(), due("right")}).To(Equal([]any{int32(2), true}))
		c.recordCheck(key, "right", false)
		g.Expect(due("right")).To(BeFalse(), "nothing is compared twice")
		g.Expect(due("wrong")).To(BeTrue())
	})
}
