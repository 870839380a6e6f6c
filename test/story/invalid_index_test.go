package story_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// badIndex is a test case for a source whose index cannot be fetched or read.
type badIndex struct {
	name, why string
	handler   http.HandlerFunc
	want      expectedStatus
}

var badIndexes = []badIndex{
	{"text", "the content is not YAML", fixture.Content([]byte("a: b: c\n\t- [")), stalledWith(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"page", "a sign-in page is returned", fixture.Page("<!DOCTYPE html><title>Sign in</title>"), stalledWith(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"other", "the YAML is not an index", fixture.Content([]byte("apiVersion: v1\nkind: ConfigMap\n")), stalledWith(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"binary", "the content is an archive", fixture.Content([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}), stalledWith(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"nothing", "the URL does not exist", http.NotFound, stalledWith(v1alpha1.ConditionReachable, v1alpha1.ReasonNotFound)},
	{"hangs", "the request times out", fixture.NoAnswer, retriedWith(v1alpha1.ConditionReachable, v1alpha1.ReasonFetchFailed)},
	{"error", "the server returns an error", fixture.Status(http.StatusInternalServerError), retriedWith(v1alpha1.ConditionReachable, v1alpha1.ReasonFetchFailed)},
	{"locked", "the server denies access", fixture.Status(http.StatusForbidden), retriedWith(v1alpha1.ConditionReachable, v1alpha1.ReasonUnauthorized)},
	{"busy", "the server specifies the time of the next request", fixture.Status(http.StatusTooManyRequests, "Retry-After", "3"), rateLimited},
	{"down", "the server specifies the time of the next request", fixture.Status(http.StatusServiceUnavailable, "Retry-After", "3"), rateLimited},
}

var _ = Describe("A source with an invalid index", func() {
	It("reports the reason, and recovers automatically", func(ctx SpecContext) {
		ns, repo := createNamespace(ctx, "market"), fixture.NewRepository()
		archive := packChart("page", "1.0.0", pageTemplate)
		index := fixture.Content(fixture.IndexOf(fixture.NewOffer("page", "1.0.0", repo.URL+"/page.tgz", archive)))
		repo.Handle("/page.tgz", fixture.Content(archive))
		repo.Handle("/good/index.yaml", index)
		sources := map[string]*v1alpha1.MarketSource{"good": cluster.CreateSource(ctx, ns, "good", repo.URL+"/good", fixture.ShareWithAll)}
		for _, b := range badIndexes {
			repo.Handle("/"+b.name+"/index.yaml", b.handler)
			sources[b.name] = cluster.CreateSource(ctx, ns, b.name, repo.URL+"/"+b.name, withRequestTimeout, withShortInterval)
		}
		closed := fixture.FreeAddress()
		sources["away"] = cluster.CreateSource(ctx, ns, "away", "http://"+closed, withRequestTimeout, withShortInterval)

		for _, b := range badIndexes {
			By(b.name + ": " + b.why)
			expectStatus(ctx, sources[b.name], b.want)
		}
		By("away: no server listens at the address")
		expectStatus(ctx, sources["away"], retriedWith(v1alpha1.ConditionReachable, v1alpha1.ReasonFetchFailed))

		By("syncing another source")
		waitTrue(ctx, sources["good"], v1alpha1.ConditionReady)
		expectStatusContract(ctx, ns)

		By("serving a valid index from all of them")
		for _, b := range badIndexes {
			repo.Handle("/"+b.name+"/index.yaml", index)
		}
		fixture.NewRepositoryAt(closed).Handle("/index.yaml", index)
		for _, source := range sources {
			waitTrue(ctx, source, v1alpha1.ConditionReady)
			Expect(source.Status.Apps.Ready).To(BeEquivalentTo(1))
		}
		expectStatusContract(ctx, ns)
	})

	It("is not requested before the time in Retry-After", func(ctx SpecContext) {
		const pause = 4 * time.Second
		ns, repo := createNamespace(ctx, "index"), fixture.NewRepository()
		repo.Handle("/index.yaml", fixture.Status(http.StatusTooManyRequests, "Retry-After", fmt.Sprint(pause.Seconds())))
		source := cluster.CreateSource(ctx, ns, "busy", repo.URL)
		Eventually(func() []fixture.Request { return repo.Requests(0) }).WithContext(ctx).Should(HaveLen(1))
		indexRequests := time.Now()
		expectStatus(ctx, source, rateLimited)
		Eventually(func() []fixture.Request { return repo.Requests(0) }).WithContext(ctx).Should(HaveLen(2))
		Expect(time.Since(indexRequests)).To(BeNumerically(">", pause-time.Second/2))
	})

	It("keeps the published apps, and is requested until the server is available", func(ctx SpecContext) {
		ns, repo := createNamespace(ctx, "market"), fixture.NewRepository()
		archive := packChart("page", "1.0.0", pageTemplate)
		index := fixture.Content(fixture.IndexOf(fixture.NewOffer("page", "1.0.0", "page.tgz", archive)))
		repo.Handle("/page.tgz", fixture.Content(archive))
		repo.Handle("/index.yaml", index)
		source := cluster.CreateSource(ctx, ns, "shaky", repo.URL, withShortInterval, fixture.ShareWithAll)
		waitTrue(ctx, source, v1alpha1.ConditionReady)

		By("returning errors")
		repo.Handle("/index.yaml", fixture.Status(http.StatusBadGateway))
		before := len(repo.Requests(0))
		expectFailing := func(g Gomega) {
			g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(source), source)).To(Succeed())
			c := meta.FindStatusCondition(source.Status.Conditions, v1alpha1.ConditionReconciling)
			g.Expect(c).NotTo(BeNil(), "%v", source.Status.Conditions)
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonProgressingWithRetry))
			g.Expect(meta.IsStatusConditionFalse(source.Status.Conditions, v1alpha1.ConditionReachable)).To(BeTrue())
		}
		Eventually(expectFailing).WithContext(ctx).Should(Succeed())
		Eventually(func() []fixture.Request { return repo.Requests(before) }).WithContext(ctx).Should(HaveLen(5), "the request is retried")
		expectFailing(NewGomega(Fail))
		Expect(listApps(ctx, ns)).To(HaveLen(1))
		digest, err := fetchDigest(ctx, listApps(ctx, ns)[0].Status.Versions[0].URL)
		Expect(err).NotTo(HaveOccurred())
		Expect(digest).To(Equal(listApps(ctx, ns)[0].Status.Versions[0].Digest))
		expectStatusContract(ctx, ns)

		By("returning the index again")
		repo.Handle("/index.yaml", index)
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		for _, milestone := range []string{v1alpha1.ConditionReachable, v1alpha1.ConditionIndexed} {
			Expect(meta.IsStatusConditionTrue(source.Status.Conditions, milestone)).To(BeTrue(), milestone)
		}
		expectStatusContract(ctx, ns)
	})

	It("is requested once while its apps are hydrated", func(ctx SpecContext) {
		ns, repo := createNamespace(ctx, "index"), fixture.NewRepository()
		var all []fixture.Offer
		for i := range 40 {
			name := fmt.Sprintf("app-%d", i)
			archive := packChart(name, "1.0.0", pageTemplate)
			repo.Handle("/"+name+".tgz", func(w http.ResponseWriter, r *http.Request) {
				<-time.After(200 * time.Millisecond) // slows hydration down
				fixture.Content(archive)(w, r)
			})
			all = append(all, fixture.NewOffer(name, "1.0.0", name+".tgz", archive))
		}
		repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(all...)))
		source := cluster.CreateSource(ctx, ns, "slow", repo.URL)
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		Expect(source.Status.Apps.Ready).To(BeEquivalentTo(len(all)))
		indexRequests := 0
		for _, v := range repo.Requests(0) {
			if v.Path == "/index.yaml" {
				indexRequests++
			}
		}
		Expect(indexRequests).To(Equal(1))
	})

	It("is synced with bounded memory when the index is very large", func(ctx SpecContext) {
		const size, versions = 26 << 20, 27_000
		archive := packChart("large", fmt.Sprintf("1.0.%d", versions-1), pageTemplate)
		index := fixture.IndexOf(fixture.NewOffer("large", fmt.Sprintf("1.0.%d", versions-1), "large.tgz", archive))
		var text bytes.Buffer
		text.Write(index)
		for i := range versions - 1 {
			fmt.Fprintf(&text, "  - apiVersion: v2\n    name: large\n    version: 1.0.%d\n    urls:\n    - gone.tgz\n    description: %s\n",
				i, strings.Repeat("long ", (size/versions-100)/len("long ")))
		}
		Expect(text.Len()).To(BeNumerically("~", size, size/10))
		ns, repo := createNamespace(ctx, "index"), fixture.NewRepository()
		repo.Handle("/index.yaml", fixture.Content(text.Bytes()))
		repo.Handle("/large.tgz", fixture.Content(archive))

		defaultOperator.WaitIdle(ctx)
		before := defaultOperator.processMemory("VmRSS")
		defaultOperator.resetPeakMemory()
		source := cluster.CreateSource(ctx, ns, "large", repo.URL, func(s *v1alpha1.MarketSourceSpec) {
			s.Filter = &v1alpha1.AppFilter{MaxVersions: 1}
		})
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		Expect(source.Status.Apps.Ready).To(BeEquivalentTo(1))
		peak := defaultOperator.processMemory("VmHWM")
		AddReportEntry("memory for an index of 26 MB", fmt.Sprintf("%d MiB before, %d MiB at the peak", before, peak))
		Expect(peak-before).To(BeNumerically("<", 200), "additional MiB")
		expectStatusContract(ctx, ns)
	})
})
