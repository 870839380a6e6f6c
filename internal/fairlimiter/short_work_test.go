package fairlimiter_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/internal/fairlimiter"
)

func TestShortWorkLeavesAQuarterToOtherNamespaces(t *testing.T) {
	for limit, want := range map[int]int{1: 1, 2: 1, 4: 3, 8: 6, 16: 12} {
		g := NewWithT(t)
		limiter := fairlimiter.NewForShortWork(limit, func(types.NamespacedName) {})
		taken := 0
		for i := range 2 * limit {
			if limiter.TryAcquire(types.NamespacedName{Namespace: "many", Name: fmt.Sprint(i)}) {
				taken++
			}
		}
		g.Expect(taken).To(Equal(want), "limit %d", limit)
		if limit > 1 {
			g.Expect(limiter.TryAcquire(types.NamespacedName{Namespace: "one", Name: "app"})).To(BeTrue(), "limit %d", limit)
		}
	}
}
