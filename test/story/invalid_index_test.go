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
	{"text", "it is no YAML", fixture.Content([]byte("it was: here: yesterday\n\t- [")), stalledWith(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"page", "a portal answers", fixture.Page("<!DOCTYPE html><title>Sign in</title>"), stalledWith(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"other", "it is another YAML", fixture.Content([]byte("apiVersion: v1\nkind: ConfigMap\n")), stalledWith(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"binary", "it is an archive", fixture.Content([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}), stalledWith(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"nothing", "the address is wrong", http.NotFound, stalledWith(v1alpha1.ConditionReachable, v1alpha1.ReasonNotFound)},
	{"hangs", "a request has its time", fixture.NoAnswer, retriedWith(v1alpha1.ConditionReachable, v1alpha1.ReasonFetchFailed)},
	{"error", "a server mends itself", fixture.Status(http.StatusInternalServerError), retriedWith(v1alpha1.ConditionReachable, v1alpha1.ReasonFetchFailed)},
	{"locked", "rights are given", fixture.Status(http.StatusForbidden), retriedWith(v1alpha1.ConditionReachable, v1alpha1.ReasonUnauthorized)},
	{"busy", "the server says when", fixture.Status(http.StatusTooManyRequests, "Retry-After", "3"), rateLimited},
	{"down", "the server says when", fixture.Status(http.StatusServiceUnavailable, "Retry-After", "3"), rateLimited},
}

var _ = Describe("A source whose index is bad", func() {
	It("is told of it, and recovers without a person", func(ctx SpecContext) {
		ns, repo := createNamespace(ctx, "market"), fixture.NewRepository()
		archive := packChart("page", "1.0.0", pageTemplate)
		index := fixture.Content(fixture.IndexOf(fixture.NewOffer("page", "1.0.0", repo.URL+"/page.tgz", archive)))
		repo.Handle("/page.tgz", fixture.Content(archive))
		repo.Handle("/good/index.yaml", index)
		sources := map[string]*v1alpha1.MarketSource{"good": createSource(ctx, ns, "good", repo.URL+"/good", shareWithAll)}
		for _, b := range badIndexes {
			repo.Handle("/"+b.name+"/index.yaml", b.handler)
			sources[b.name] = createSource(ctx, ns, b.name, repo.URL+"/"+b.name, withRequestTimeout, withShortInterval)
		}
		closed := fixture.FreeAddress()
		sources["away"] = createSource(ctx, ns, "away", "http://"+closed, withRequestTimeout, withShortInterval)

		for _, b := range badIndexes {
			By(b.name + ": " + b.why)
			expectStatus(ctx, sources[b.name], b.want)
		}
		By("away: nobody listens")
		expectStatus(ctx, sources["away"], retriedWith(v1alpha1.ConditionReachable, v1alpha1.ReasonFetchFailed))

		By("others going on")
		waitTrue(ctx, sources["good"], v1alpha1.ConditionReady)
		expectStatusContract(ctx, ns)

		By("mending all of them")
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

	It("is not asked before the time that it named", func(ctx SpecContext) {
		const pause = 4 * time.Second
		ns, repo := createNamespace(ctx, "index"), fixture.NewRepository()
		repo.Handle("/index.yaml", fixture.Status(http.StatusTooManyRequests, "Retry-After", fmt.Sprint(pause.Seconds())))
		source := createSource(ctx, ns, "busy", repo.URL)
		Eventually(func() []fixture.Request { return repo.Requests(0) }).WithContext(ctx).Should(HaveLen(1))
		indexRequests := time.Now()
		expectStatus(ctx, source, rateLimited)
		Eventually(func() []fixture.Request { return repo.Requests(0) }).WithContext(ctx).Should(HaveLen(2))
		Expect(time.Since(indexRequests)).To(BeNumerically(">", pause-time.Second/2))
	})

	It("keeps what it had, and is asked until it is back", func(ctx SpecContext) {
		ns, repo := createNamespace(ctx, "market"), fixture.NewRepository()
		archive := packChart("page", "1.0.0", pageTemplate)
		index := fixture.Content(fixture.IndexOf(fixture.NewOffer("page", "1.0.0", "page.tgz", archive)))
		repo.Handle("/page.tgz", fixture.Content(archive))
		repo.Handle("/index.yaml", index)
		source := createSource(ctx, ns, "shaky", repo.URL, withShortInterval, shareWithAll)
		waitTrue(ctx, source, v1alpha1.ConditionReady)

		By("being away")
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
		Eventually(func() []fixture.Request { return repo.Requests(before) }).WithContext(ctx).Should(HaveLen(5), "it is tried again")
		expectFailing(NewGomega(Fail))
		Expect(listApps(ctx, ns)).To(HaveLen(1))
		digest, err := fetchDigest(ctx, listApps(ctx, ns)[0].Status.Versions[0].URL)
		Expect(err).NotTo(HaveOccurred())
		Expect(digest).To(Equal(listApps(ctx, ns)[0].Status.Versions[0].Digest))
		expectStatusContract(ctx, ns)

		By("being back")
		repo.Handle("/index.yaml", index)
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		for _, milestone := range []string{v1alpha1.ConditionReachable, v1alpha1.ConditionIndexed} {
			Expect(meta.IsStatusConditionTrue(source.Status.Conditions, milestone)).To(BeTrue(), milestone)
		}
		expectStatusContract(ctx, ns)
	})

	It("is read whole once, although its apps change all the while", func(ctx SpecContext) {
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
		source := createSource(ctx, ns, "slow", repo.URL)
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

	It("is taken in within bounds when it is very large", func(ctx SpecContext) {
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
		source := createSource(ctx, ns, "large", repo.URL, func(s *v1alpha1.MarketSourceSpec) {
			s.Filter = &v1alpha1.AppFilter{MaxVersions: 1}
		})
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		Expect(source.Status.Apps.Ready).To(BeEquivalentTo(1))
		peak := defaultOperator.processMemory("VmHWM")
		AddReportEntry("memory for an index of 26 MB", fmt.Sprintf("%d MiB before, %d MiB at the peak", before, peak))
		Expect(peak-before).To(BeNumerically("<", 200), "MiB more than before")
		expectStatusContract(ctx, ns)
	})
})
