package source

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
)

// TestCommitsAreReadFairly reads many commits of several namespaces, and then one of another namespace.
func TestCommitsAreReadFairly(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		checkouts := &Checkouts{Dir: dir}
		next := make(chan struct{})
		var order []string
		var all sync.WaitGroup
		read := func(namespace, key string) {
			all.Go(func() {
				charts, err := checkouts.takeCheckout(t.Context(), key)
				if err == nil {
					err = checkouts.replace(t.Context(), charts, namespace, "1", func(context.Context, *os.Root) error {
						<-next
						order = append(order, namespace)
						return nil
					})
					charts.clear()
					<-charts.busy
				}
				if err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for i := range 5 {
			for n := range 4 {
				read(fmt.Sprint("many-", n), fmt.Sprint(n, i))
			}
		}
		next <- struct{}{}
		next <- struct{}{}
		synctest.Wait()
		read("few", "few")
		close(next)
		all.Wait()
		g.Expect(order).To(HaveLen(21))
		g.Expect(slices.Index(order, "few")).To(BeNumerically("<=", 5), "%v", order)
	})
}

// TestUnusedCheckoutsAreForgotten expects that a checkout that is not used any more leaves nothing behind, because keys
// contain the revision of an artifact.
func TestUnusedCheckoutsAreForgotten(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		checkouts := &Checkouts{Dir: dir}
		countKeys := func() int {
			checkouts.mu.Lock()
			defer checkouts.mu.Unlock()
			return len(checkouts.byKey)
		}
		for i := range 3 {
			used, err := checkouts.takeCheckout(t.Context(), fmt.Sprint(i))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(checkouts.replace(t.Context(), used, "team", "1", func(context.Context, *os.Root) error { return nil })).To(Succeed())
			checkouts.returnCheckout(used)
		}
		g.Expect(countKeys()).To(Equal(3))
		g.Expect(os.ReadDir(dir)).To(HaveLen(3))
		time.Sleep(maxIdleCheckout + time.Second)
		synctest.Wait()
		g.Expect(countKeys()).To(BeZero())
		g.Expect(os.ReadDir(dir)).To(BeEmpty())
	})
}
