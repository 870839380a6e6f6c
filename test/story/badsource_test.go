package story_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// An ending is the status that an invalid input leads to.
type ending struct {
	// milestone is the condition that is not reached, for this reason.
	milestone, reason string
	// retried expects the operation to be retried, and stalled expects it not to be. If neither is
	// set, the source specified the time of the next attempt.
	retried, stalled bool
}

func stalls(milestone, reason string) ending { return ending{milestone, reason, false, true} }

func retries(milestone, reason string) ending { return ending{milestone, reason, true, false} }

// postponed is the ending of a request that the source asks to repeat later.
var postponed = ending{reason: v1alpha1.ReasonRateLimited}

// ends waits for an object to reach the given ending.
func ends(ctx context.Context, o v1alpha1.Object, want ending) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		find := func(kind string) metav1.Condition {
			c := meta.FindStatusCondition(o.GetConditions(), kind)
			g.Expect(c).NotTo(BeNil(), "%s in %v", kind, o.GetConditions())
			return *c
		}
		root := find(v1alpha1.ConditionReady)
		g.Expect(root.Status).NotTo(Equal(metav1.ConditionTrue), root.Message)
		switch {
		case want.stalled:
			g.Expect(find(v1alpha1.ConditionStalled).Reason).To(Equal(want.reason), root.Message)
		case want.retried:
			g.Expect(find(v1alpha1.ConditionReconciling).Reason).To(Equal(v1alpha1.ReasonProgressingWithRetry), root.Message)
		default:
			g.Expect(find(v1alpha1.ConditionReconciling).Reason).To(Equal(want.reason), root.Message)
			return
		}
		milestone := find(want.milestone)
		g.Expect(milestone.Status).To(Equal(metav1.ConditionFalse), root.Message)
		g.Expect(milestone.Reason).To(Equal(want.reason), root.Message)
		g.Expect(milestone.Message).NotTo(BeEmpty())
		g.Expect(root.Reason).To(Equal(want.reason), root.Message)
	}).WithContext(ctx).Should(Succeed())
}

// badApp is a test case for an app whose source serves an invalid archive.
type badApp struct {
	name string
	// archive is the content that the source serves. page replaces the default handler.
	archive []byte
	page    http.HandlerFunc
	// elsewhere is the URL in the index, and digest the digest in the index. They default to the
	// URL and the digest of archive.
	elsewhere, digest string
}

func (b badApp) offer(s *fixture.Repository) fixture.Offer {
	o := fixture.Offer{Name: b.name, Version: "1.0.0", URL: b.name + ".tgz", Digest: b.digest}
	if b.archive != nil {
		o = fixture.NewOffer(b.name, "1.0.0", b.name+".tgz", b.archive)
	}
	if b.digest != "" {
		o.Digest = b.digest
	}
	if b.elsewhere != "" {
		o.URL = b.elsewhere
	}
	page := b.page
	if page == nil {
		page = fixture.Content(b.archive)
	}
	s.Handle("/"+b.name+".tgz", page)
	return o
}

// template returns a chart with one additional template.
func template(name, text string) badApp {
	return badApp{name: name, archive: packed(name, "1.0.0", page, file{"templates/more.yaml", text})}
}

// badApps returns the apps whose failure is not retried.
func badApps() []badApp {
	newBadApp := func(name string, more ...file) badApp {
		return badApp{name: name, archive: packed(name, "1.0.0", more...)}
	}
	forge := func(name string, more ...fixture.TarEntry) badApp {
		return badApp{name: name, archive: forged(name, more...)}
	}
	return []badApp{
		{name: "html", page: fixture.Page("<!DOCTYPE html><title>Sign in</title>")},
		{name: "html-as-archive", archive: []byte("<html><body>502 Bad Gateway</body></html>")},
		{name: "cut-off", archive: packed("cut-off", "1.0.0", page)[:100]},
		{name: "digest", archive: packed("digest", "1.0.0", page), digest: strings.Repeat("ab", 32)},
		{name: "gone", page: http.NotFound},
		forge("traversal", fixture.TarEntry{Name: "traversal/../../escaped"}),
		forge("absolute", fixture.TarEntry{Name: "/etc/escaped"}),
		forge("symlink", fixture.TarEntry{Name: "symlink/values.yaml", Link: "/etc/passwd", Type: '2'}),
		forge("hardlink", fixture.TarEntry{Name: "hardlink/values.yaml", Link: "hardlink/Chart.yaml", Type: '1'}),
		forge("ratio", zeros("ratio")),
		forge("size", large("size")...),
		forge("count", many("count", chart.MaxFiles)...),
		forge("depth", deep("depth", chart.MaxPathDepth+1)),
		{name: "no-semver", archive: packed("no-semver", "1.0.0", page)},
		{name: "other-version", archive: packed("other-version", "2.0.0", page)},
		newBadApp("values-bomb", page, file{"values.yaml", laughs()}),
		newBadApp("manifest-bomb", page, appManifest("manifest-bomb", "spec: {}\n"+laughs())),
		newBadApp("manifest-types", page, appManifest("manifest-types", "spec: [this, should, be, a, map]\nentrances: 7\n")),
		template("syntax", "{{ .Values.greeting"),
		template("not-yaml", "a: b: c\n"),
		template("endless", "{{ range until 100000 }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}{{ end }}"),
		template("gigabytes", `{{ $x := repeat 100000 "0123456789" }}{{ range until 100000 }}{{ $x }}{{ end }}`),
	}
}

var _ = Describe("A source whose apps are bad", Ordered, func() {
	var ns string
	var repo *fixture.Repository
	var source *v1alpha1.MarketSource
	closed := "http://" // an address that nobody listens on

	var bad, retried []badApp
	app := func(name string) *v1alpha1.AppInfo {
		return &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "bad." + name}}
	}
	good := func(ctx context.Context) {
		GinkgoHelper()
		for _, name := range []string{"good-1", "good-2"} {
			info := app(name)
			eventuallyTrue(ctx, info, v1alpha1.ConditionReady)
			digest, err := digestAt(ctx, info.Status.Versions[0].URL)
			Expect(err).NotTo(HaveOccurred())
			Expect(digest).To(Equal(info.Status.Versions[0].Digest))
		}
	}

	BeforeAll(func(ctx SpecContext) {
		ns, repo, closed = namespace(ctx, "market"), fixture.NewRepository(), closed+fixture.FreeAddress()
		plain := func(name string) []byte { return packed(name, "1.0.0", page) }
		retried = []badApp{
			{name: "hangs", archive: plain("hangs"), page: fixture.NoAnswer},
			{name: "error", archive: plain("error"), page: fixture.Status(http.StatusInternalServerError)},
			{name: "busy", archive: plain("busy"), page: fixture.Status(http.StatusTooManyRequests, "Retry-After", "2")},
			{name: "throttled", archive: plain("throttled"), page: fixture.Status(http.StatusTooManyRequests)},
			{name: "locked", archive: plain("locked"), page: fixture.Status(http.StatusUnauthorized)},
			{name: "unreachable", archive: plain("unreachable"), elsewhere: closed + "/unreachable.tgz"},
		}
		all := []badApp{{name: "good-1", archive: plain("good-1")}, {name: "good-2", archive: plain("good-2")}}
		bad = badApps()
		all = append(append(all, bad...), retried...)
		var index []fixture.Offer
		for _, b := range all {
			index = append(index, b.offer(repo))
		}
		index = append(index, fixture.Offer{Name: "unversioned", Version: "latest", URL: "unversioned.tgz"})
		repo.Handle("/index.yaml", fixture.Content(bytes.Replace(fixture.IndexOf(index...), []byte("name: no-semver\n    version: 1.0.0"), []byte("name: no-semver\n    version: one"), 1)))
		source = sourceOf(ctx, ns, "bad", repo.URL, impatient, often, sharedByAll)
		// The CPU time of an endless template delays the first conditions.
		endless := app("endless")
		Eventually(func(g Gomega) {
			g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(endless), endless)).To(Succeed())
			g.Expect(endless.Status.Conditions).NotTo(BeEmpty())
		}).WithContext(ctx).WithTimeout(time.Minute).Should(Succeed())
	})

	DescribeTable("is tried again", func(ctx SpecContext, name, why string, want ending) {
		By(why)
		ends(ctx, app(name), want)
	},
		Entry(nil, "hangs", "a request has its time", retries(v1alpha1.ConditionFetched, v1alpha1.ReasonFetchFailed)),
		Entry(nil, "error", "a server mends itself", retries(v1alpha1.ConditionFetched, v1alpha1.ReasonFetchFailed)),
		Entry(nil, "busy", "the server says when", postponed),
		Entry(nil, "throttled", "the server does not say when", retries(v1alpha1.ConditionFetched, v1alpha1.ReasonRateLimited)),
		Entry(nil, "locked", "rights are given", retries(v1alpha1.ConditionFetched, v1alpha1.ReasonUnauthorized)),
		Entry(nil, "unreachable", "a server comes back", retries(v1alpha1.ConditionFetched, v1alpha1.ReasonFetchFailed)),
	)

	It("has its good apps served meanwhile", func(ctx SpecContext) { good(ctx) })

	It("recovers without a person where that was tried again", func(ctx SpecContext) {
		for _, b := range retried {
			repo.Handle("/"+b.name+".tgz", fixture.Content(b.archive))
		}
		away := fixture.NewRepositoryAt(strings.TrimPrefix(closed, "http://"))
		away.Handle("/unreachable.tgz", fixture.Content(packed("unreachable", "1.0.0", page)))
		for _, b := range retried {
			eventuallyTrue(ctx, app(b.name), v1alpha1.ConditionReady)
		}
	})

	DescribeTable("is told of what is wrong for good", func(ctx SpecContext, name, why string, want ending) {
		By(why)
		ends(ctx, app(name), want)
	},
		Entry(nil, "html", "a proxy answers for the server", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "html-as-archive", "a server does not say that it is a page", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "cut-off", "half an archive is none", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "digest", "the archive was exchanged", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonDigestMismatch)),
		Entry(nil, "gone", "the index lists more than there is", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonNotFound)),
		Entry(nil, "traversal", "it writes outside its folder", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "absolute", "it writes where it likes", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "symlink", "it reads what is not its own", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "hardlink", "so does this", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "ratio", "a bomb: few bytes become many", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonLimitExceeded)),
		Entry(nil, "size", "a bomb: more than any chart needs", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonLimitExceeded)),
		Entry(nil, "count", "a bomb: too many files", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonLimitExceeded)),
		Entry(nil, "depth", "a bomb: too many folders", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonLimitExceeded)),
		Entry(nil, "other-version", "it is another chart than was promised", stalls(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidChart)),
		Entry(nil, "values-bomb", "aliases of aliases", stalls(v1alpha1.ConditionRendered, v1alpha1.ReasonRenderFailed)),
		Entry(nil, "manifest-bomb", "aliases of aliases", stalls(v1alpha1.ConditionRendered, v1alpha1.ReasonInvalidManifest)),
		Entry(nil, "manifest-types", "a list for a map", stalls(v1alpha1.ConditionRendered, v1alpha1.ReasonInvalidManifest)),
		Entry(nil, "syntax", "a template that is none", stalls(v1alpha1.ConditionRendered, v1alpha1.ReasonRenderFailed)),
		Entry(nil, "not-yaml", "a template that makes no object", stalls(v1alpha1.ConditionRendered, v1alpha1.ReasonRenderFailed)),
		Entry(nil, "endless", "a template that never ends", stalls(v1alpha1.ConditionRendered, v1alpha1.ReasonLimitExceeded)),
		Entry(nil, "gigabytes", "a template that makes gigabytes", stalls(v1alpha1.ConditionRendered, v1alpha1.ReasonLimitExceeded)),
	)

	It("is counted, and told of entries that are no apps", func(ctx SpecContext) {
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
		told := map[string]v1alpha1.AppFailure{}
		for _, f := range source.Status.Failures {
			told[f.App] = f
		}
		for _, name := range []string{"unversioned", "no-semver"} {
			Expect(told).To(HaveKey(name), "a version that is not semantic")
			Expect(told[name].Condition).To(Equal(v1alpha1.ConditionIndexed))
			Expect(told[name].Reason).To(Equal(v1alpha1.ReasonInvalidIndex))
		}
		Expect(source.Status.Apps.Ready).To(BeEquivalentTo(2 + len(retried)))
		Expect(source.Status.Apps.Failed).To(BeEquivalentTo(len(bad) + 1))
		good(ctx)
		keepTheContract(ctx, ns)
	})

	It("recovers without a person once it offers something better", func(ctx SpecContext) {
		var index []fixture.Offer
		for _, b := range bad {
			better := badApp{name: b.name, archive: packed(b.name, "1.0.0", page)}
			index = append(index, better.offer(repo))
		}
		repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(index...)))
		for _, b := range bad {
			eventuallyTrue(ctx, app(b.name), v1alpha1.ConditionReady)
		}
		Eventually(func(g Gomega) {
			g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(source), source)).To(Succeed())
			g.Expect(source.Status.Failures).To(BeEmpty())
			g.Expect(source.Status.Apps.Ready).To(BeEquivalentTo(len(bad)))
		}).WithContext(ctx).Should(Succeed())
		keepTheContract(ctx, ns)
	})
})
