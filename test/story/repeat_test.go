package story_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// sameFromScratch runs another process of the operator on an empty folder, which has
// to hydrate everything again, and compares what comes of it, byte by byte, with
// what was served before.
func sameFromScratch(ctx context.Context, ns string) {
	GinkgoHelper()
	served := archives(ctx, ns)
	Expect(served).NotTo(BeEmpty())
	other := market.elsewhere(GinkgoT().TempDir())
	Eventually(func() int { return other.records(ns) }).WithContext(ctx).Should(Equal(len(served)))
	other.WaitIdle(ctx)
	for url, digest := range served {
		Expect(digestAt(ctx, url)).To(Equal(digest), url)
	}
	keepTheContract(ctx, ns)
}

// That of a large market is asked after the operator was killed in the middle of it.
var _ = Describe("Hydrating from scratch twice", func() {
	It("gives the same charts, byte by byte", func(ctx SpecContext) {
		ns := namespace(ctx, "market")
		source := sampleSource(ctx, ns)
		before := archives(ctx, ns)

		By("by another process with another store")
		sameFromScratch(ctx, ns)

		By("in a source that was removed and made again")
		Expect(cluster.Delete(ctx, source)).To(Succeed())
		Eventually(func() int { return len(appsIn(ctx, ns)) }).WithContext(ctx).Should(BeZero())
		sampleSource(ctx, ns)
		Expect(archives(ctx, ns)).To(Equal(before))
	})
})
