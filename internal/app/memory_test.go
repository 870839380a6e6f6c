package app

import (
	"runtime/debug"
	"testing"

	. "github.com/onsi/gomega"
)

func TestMemoryShares(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		limit, perRender int64
		processors       int
		workers          int
		own              int64
		why              string
	}{
		"no limit":           {0, 512 * mib, 8, 8, 0, "the memory is not divided without a limit"},
		"the chart's limits": {1536 * mib, 512 * mib, 2, 2, 512 * mib, "one worker for each processor"},
		"many processors":    {1536 * mib, 512 * mib, 64, 2, 512 * mib, "without a CPU limit, all processors of the node count"},
		"one worker":         {768 * mib, 512 * mib, 2, 1, 256 * mib, "the smallest limit for rendering"},
		"large charts":       {4096 * mib, 2048 * mib, 2, 1, 2048 * mib, "two workers would leave no memory for the operator"},
		"small charts":       {1024 * mib, 64 * mib, 4, 4, 768 * mib, "the operator gets the rest"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			workers, own, err := memoryShares(c.limit, c.perRender, c.processors)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(workers).To(Equal(c.workers), c.why)
			g.Expect(own).To(Equal(c.own), c.why)
		})
	}
	for name, limit := range map[string]int64{"a limit that is too small for a worker": 767 * mib, "a tiny limit": 1} {
		t.Run(name, func(t *testing.T) {
			_, _, err := memoryShares(limit, 512*mib, 2)
			NewWithT(t).Expect(err).To(MatchError(And(ContainSubstring("must be at least 768 MiB"), ContainSubstring("raise the memory limit"))))
		})
	}
}

func TestOwnMemoryIsLimited(t *testing.T) {
	g := NewWithT(t)
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "")
	limitOwnMemory(0)
	g.Expect(debug.SetMemoryLimit(-1)).To(Equal(before), "0 means no limit")
	limitOwnMemory(1000 << 20)
	g.Expect(debug.SetMemoryLimit(-1)).To(BeEquivalentTo(900 << 20))
	t.Setenv("GOMEMLIMIT", "2GiB")
	limitOwnMemory(500 << 20)
	g.Expect(debug.SetMemoryLimit(-1)).To(BeEquivalentTo(900<<20), "GOMEMLIMIT takes precedence")
}
