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
	page      http.HandlerFunc
	ends      ending
}

var badIndexes = []badIndex{
	{"text", "it is no YAML", fixture.Content([]byte("it was: here: yesterday\n\t- [")), stalls(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"page", "a portal answers", fixture.Page("<!DOCTYPE html><title>Sign in</title>"), stalls(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"other", "it is another YAML", fixture.Content([]byte("apiVersion: v1\nkind: ConfigMap\n")), stalls(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"binary", "it is an archive", fixture.Content([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}), stalls(v1alpha1.ConditionIndexed, v1alpha1.ReasonInvalidIndex)},
	{"nothing", "the address is wrong", http.NotFound, stalls(v1alpha1.ConditionReachable, v1alpha1.ReasonNotFound)},
	{"hangs", "a request has its time", fixture.NoAnswer, retries(v1alpha1.ConditionReachable, v1alpha1.ReasonFetchFailed)},
	{"error", "a server mends itself", fixture.Status(http.StatusInternalServerError), retries(v1alpha1.ConditionReachable, v1alpha1.ReasonFetchFailed)},
	{"locked", "rights are given", fixture.Status(http.StatusForbidden), retries(v1alpha1.ConditionReachable, v1alpha1.ReasonUnauthorized)},
	{"busy", "the server says when", fixture.Status(http.StatusTooManyRequests, "Retry-After", "3"), postponed},
	{"down", "the server says when", fixture.Status(http.StatusServiceUnavailable, "Retry-After", "3"), postponed},
}

var _ = Describe("A source whose index is bad", func() {
	It("is told of it, and recovers without a person", func(ctx SpecContext) {
		ns, repo := namespace(ctx, "market"), fixture.NewRepository()
		archive := packed("page", "1.0.0", page)
		index := fixture.Content(fixture.IndexOf(fixture.NewOffer("page", "1.0.0", repo.URL+"/page.tgz", archive)))
		repo.Handle("/page.tgz", fixture.Content(archive))
		repo.Handle("/good/index.yaml", index)
		sources := map[string]*v1alpha1.MarketSource{"good": sourceOf(ctx, ns, "good", repo.URL+"/good", sharedByAll)}
		for _, b := range badIndexes {
			repo.Handle("/"+b.name+"/index.yaml", b.page)
			sources[b.name] = sourceOf(ctx, ns, b.name, repo.URL+"/"+b.name, impatient, often)
		}
		closed := fixture.FreeAddress()
		sources["away"] = sourceOf(ctx, ns, "away", "http://"+closed, impatient, often)

		for _, b := range badIndexes {
			By(b.name + ": " + b.why)
			ends(ctx, sources[b.name], b.ends)
		}
		By("away: nobody listens")
		ends(ctx, sources["away"], retries(v1alpha1.ConditionReachable, v1alpha1.ReasonFetchFailed))

		By("others going on")
		eventuallyTrue(ctx, sources["good"], v1alpha1.ConditionReady)
		keepTheContract(ctx, ns)

		By("mending all of them")
		for _, b := range badIndexes {
			repo.Handle("/"+b.name+"/index.yaml", index)
		}
		fixture.NewRepositoryAt(closed).Handle("/index.yaml", index)
		for _, source := range sources {
			eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
			Expect(source.Status.Apps.Ready).To(BeEquivalentTo(1))
		}
		keepTheContract(ctx, ns)
	})

	It("is not asked before the time that it named", func(ctx SpecContext) {
		const pause = 4 * time.Second
		ns, repo := namespace(ctx, "index"), fixture.NewRepository()
		repo.Handle("/index.yaml", fixture.Status(http.StatusTooManyRequests, "Retry-After", fmt.Sprint(pause.Seconds())))
		source := sourceOf(ctx, ns, "busy", repo.URL)
		Eventually(func() []fixture.Request { return repo.Requests(0) }).WithContext(ctx).Should(HaveLen(1))
		asked := time.Now()
		ends(ctx, source, postponed)
		Eventually(func() []fixture.Request { return repo.Requests(0) }).WithContext(ctx).Should(HaveLen(2))
		Expect(time.Since(asked)).To(BeNumerically(">", pause-time.Second/2))
	})

	It("keeps what it had, and is asked until it is back", func(ctx SpecContext) {
		ns, repo := namespace(ctx, "market"), fixture.NewRepository()
		archive := packed("page", "1.0.0", page)
		index := fixture.Content(fixture.IndexOf(fixture.NewOffer("page", "1.0.0", "page.tgz", archive)))
		repo.Handle("/page.tgz", fixture.Content(archive))
		repo.Handle("/index.yaml", index)
		source := sourceOf(ctx, ns, "shaky", repo.URL, often, sharedByAll)
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)

		By("being away")
		repo.Handle("/index.yaml", fixture.Status(http.StatusBadGateway))
		before := len(repo.Requests(0))
		failing := func(g Gomega) {
			g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(source), source)).To(Succeed())
			c := meta.FindStatusCondition(source.Status.Conditions, v1alpha1.ConditionReconciling)
			g.Expect(c).NotTo(BeNil(), "%v", source.Status.Conditions)
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonProgressingWithRetry))
			g.Expect(meta.IsStatusConditionFalse(source.Status.Conditions, v1alpha1.ConditionReachable)).To(BeTrue())
		}
		Eventually(failing).WithContext(ctx).Should(Succeed())
		Eventually(func() []fixture.Request { return repo.Requests(before) }).WithContext(ctx).Should(HaveLen(5), "it is tried again")
		failing(NewGomega(Fail))
		Expect(appsIn(ctx, ns)).To(HaveLen(1))
		digest, err := digestAt(ctx, appsIn(ctx, ns)[0].Status.Versions[0].URL)
		Expect(err).NotTo(HaveOccurred())
		Expect(digest).To(Equal(appsIn(ctx, ns)[0].Status.Versions[0].Digest))
		keepTheContract(ctx, ns)

		By("being back")
		repo.Handle("/index.yaml", index)
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
		for _, milestone := range []string{v1alpha1.ConditionReachable, v1alpha1.ConditionIndexed} {
			Expect(meta.IsStatusConditionTrue(source.Status.Conditions, milestone)).To(BeTrue(), milestone)
		}
		keepTheContract(ctx, ns)
	})

	It("is read whole once, although its apps change all the while", func(ctx SpecContext) {
		ns, repo := namespace(ctx, "index"), fixture.NewRepository()
		var all []fixture.Offer
		for i := range 40 {
			name := fmt.Sprintf("app-%d", i)
			archive := packed(name, "1.0.0", page)
			repo.Handle("/"+name+".tgz", func(w http.ResponseWriter, r *http.Request) {
				<-time.After(200 * time.Millisecond) // slows hydration down
				fixture.Content(archive)(w, r)
			})
			all = append(all, fixture.NewOffer(name, "1.0.0", name+".tgz", archive))
		}
		repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(all...)))
		source := sourceOf(ctx, ns, "slow", repo.URL)
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
		Expect(source.Status.Apps.Ready).To(BeEquivalentTo(len(all)))
		asked := 0
		for _, v := range repo.Requests(0) {
			if v.Path == "/index.yaml" {
				asked++
			}
		}
		Expect(asked).To(Equal(1))
	})

	It("is taken in within bounds when it is very large", func(ctx SpecContext) {
		const size, versions = 26 << 20, 27_000
		archive := packed("large", fmt.Sprintf("1.0.%d", versions-1), page)
		index := fixture.IndexOf(fixture.NewOffer("large", fmt.Sprintf("1.0.%d", versions-1), "large.tgz", archive))
		var text bytes.Buffer
		text.Write(index)
		for i := range versions - 1 {
			fmt.Fprintf(&text, "  - apiVersion: v2\n    name: large\n    version: 1.0.%d\n    urls:\n    - gone.tgz\n    description: %s\n",
				i, strings.Repeat("long ", (size/versions-100)/len("long ")))
		}
		Expect(text.Len()).To(BeNumerically("~", size, size/10))
		ns, repo := namespace(ctx, "index"), fixture.NewRepository()
		repo.Handle("/index.yaml", fixture.Content(text.Bytes()))
		repo.Handle("/large.tgz", fixture.Content(archive))

		market.WaitIdle(ctx)
		before := market.memory("VmRSS")
		market.forgetPeak()
		source := sourceOf(ctx, ns, "large", repo.URL, func(s *v1alpha1.MarketSourceSpec) {
			s.Filter = &v1alpha1.AppFilter{MaxVersions: 1}
		})
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
		Expect(source.Status.Apps.Ready).To(BeEquivalentTo(1))
		peak := market.memory("VmHWM")
		AddReportEntry("memory for an index of 26 MB", fmt.Sprintf("%d MiB before, %d MiB at the peak", before, peak))
		Expect(peak-before).To(BeNumerically("<", 200), "MiB more than before")
		keepTheContract(ctx, ns)
	})
})
