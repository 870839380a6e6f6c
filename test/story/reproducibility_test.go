package story_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// expectReproducible runs a second operator on an empty folder, which has to hydrate everything again,
// and compares the digests of the served archives.
func expectReproducible(ctx context.Context, ns string) {
	GinkgoHelper()
	served := publishedArchives(ctx, ns)
	Expect(served).NotTo(BeEmpty())
	other := defaultOperator.replaceStore(GinkgoT().TempDir())
	Eventually(func() int { return other.countRecords(ns) }).WithContext(ctx).Should(Equal(len(served)))
	other.WaitIdle(ctx)
	for url, digest := range served {
		Expect(fetchDigest(ctx, url)).To(Equal(digest), url)
	}
	expectStatusContract(ctx, ns)
}

// operator_kill_test.go checks the same for a large market, after the operator was killed during hydration.
var _ = Describe("Hydration", func() {
	It("publishes the same bytes again", func(ctx SpecContext) {
		ns := createNamespace(ctx, "market")
		source := createSampleSource(ctx, ns)
		before := publishedArchives(ctx, ns)

		By("hydrating with another process and another store")
		expectReproducible(ctx, ns)

		By("deleting and creating the source")
		Expect(k8sClient.Delete(ctx, source)).To(Succeed())
		Eventually(func() int { return len(listApps(ctx, ns)) }).WithContext(ctx).Should(BeZero())
		createSampleSource(ctx, ns)
		Expect(publishedArchives(ctx, ns)).To(Equal(before))
	})
})
