package story_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// sameFromScratch runs a second operator on an empty folder, which has to hydrate everything again,
// and compares the digests of the served archives.
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

// kill_test.go checks the same for a large market, after the operator was killed during hydration.
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
