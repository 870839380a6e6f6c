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

// An expectedStatus is the status that an invalid input leads to.
type expectedStatus struct {
	// condition is the condition that is False for the reason.
	condition, reason string
	// retried expects the operation to be retried, and stalled expects it not to be. If neither is
	// set, the source specified the time of the next attempt.
	retried, stalled bool
}

func stalledWith(milestone, reason string) expectedStatus {
	return expectedStatus{milestone, reason, false, true}
}

func retriedWith(milestone, reason string) expectedStatus {
	return expectedStatus{milestone, reason, true, false}
}

// rateLimited is the expected status of a request that the source asks to repeat later.
var rateLimited = expectedStatus{reason: v1alpha1.ReasonRateLimited}

// expectStatus waits for an object to reach the expected status.
func expectStatus(ctx context.Context, o v1alpha1.Object, want expectedStatus) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		find := func(kind string) metav1.Condition {
			c := meta.FindStatusCondition(o.GetConditions(), kind)
			g.Expect(c).NotTo(BeNil(), "%s in %v", kind, o.GetConditions())
			return *c
		}
		summary := find(v1alpha1.ConditionReady)
		g.Expect(summary.Status).NotTo(Equal(metav1.ConditionTrue), summary.Message)
		switch {
		case want.stalled:
			g.Expect(find(v1alpha1.ConditionStalled).Reason).To(Equal(want.reason), summary.Message)
		case want.retried:
			g.Expect(find(v1alpha1.ConditionReconciling).Reason).To(Equal(v1alpha1.ReasonProgressingWithRetry), summary.Message)
		default:
			g.Expect(find(v1alpha1.ConditionReconciling).Reason).To(Equal(want.reason), summary.Message)
			return
		}
		progress := find(want.condition)
		g.Expect(progress.Status).To(Equal(metav1.ConditionFalse), summary.Message)
		g.Expect(progress.Reason).To(Equal(want.reason), summary.Message)
		g.Expect(progress.Message).NotTo(BeEmpty())
		g.Expect(summary.Reason).To(Equal(want.reason), summary.Message)
	}).WithContext(ctx).Should(Succeed())
}

// badApp is a test case for an app whose source serves an invalid archive.
type badApp struct {
	name string
	// archive is the content that the source serves. page replaces the default handler.
	archive []byte
	handler http.HandlerFunc
	// url is the URL in the index, and digest the digest in the index. They default to the
	// URL and the digest of archive.
	url, digest string
}

func (b badApp) addTo(s *fixture.Repository) fixture.Offer {
	o := fixture.Offer{Name: b.name, Version: "1.0.0", URL: b.name + ".tgz", Digest: b.digest}
	if b.archive != nil {
		o = fixture.NewOffer(b.name, "1.0.0", b.name+".tgz", b.archive)
	}
	if b.digest != "" {
		o.Digest = b.digest
	}
	if b.url != "" {
		o.URL = b.url
	}
	page := b.handler
	if page == nil {
		page = fixture.Content(b.archive)
	}
	s.Handle("/"+b.name+".tgz", page)
	return o
}

// withShortInterval sets the shortest allowed interval.
func withShortInterval(s *v1alpha1.MarketSourceSpec) { s.Interval = "10s" }

// withRequestTimeout sets a short timeout of requests.
func withRequestTimeout(s *v1alpha1.MarketSourceSpec) { s.Timeout = "2s" }

// badTemplateApp returns a chart with one additional template.
func badTemplateApp(name, text string) badApp {
	return badApp{name: name, archive: packChart(name, "1.0.0", pageTemplate, chartFile{"templates/more.yaml", text})}
}

// badApps returns the apps whose failure is not retried.
func badApps() []badApp {
	newBadApp := func(name string, more ...chartFile) badApp {
		return badApp{name: name, archive: packChart(name, "1.0.0", more...)}
	}
	newEntriesApp := func(name string, more ...fixture.TarEntry) badApp {
		return badApp{name: name, archive: packEntries(name, more...)}
	}
	return []badApp{
		{name: "html", handler: fixture.Page("<!DOCTYPE html><title>Sign in</title>")},
		{name: "html-as-archive", archive: []byte("<html><body>502 Bad Gateway</body></html>")},
		{name: "cut-off", archive: packChart("cut-off", "1.0.0", pageTemplate)[:100]},
		{name: "digest", archive: packChart("digest", "1.0.0", pageTemplate), digest: strings.Repeat("ab", 32)},
		{name: "gone", handler: http.NotFound},
		newEntriesApp("traversal", fixture.TarEntry{Name: "traversal/../../escaped"}),
		newEntriesApp("absolute", fixture.TarEntry{Name: "/etc/escaped"}),
		newEntriesApp("symlink", fixture.TarEntry{Name: "symlink/values.yaml", Link: "/etc/passwd", Type: '2'}),
		newEntriesApp("hardlink", fixture.TarEntry{Name: "hardlink/values.yaml", Link: "hardlink/Chart.yaml", Type: '1'}),
		newEntriesApp("ratio", compressibleFile("ratio")),
		newEntriesApp("size", largeFiles("size")...),
		newEntriesApp("count", manyFiles("count", chart.MaxFiles)...),
		newEntriesApp("depth", deepFile("depth", chart.MaxPathDepth+1)),
		{name: "no-semver", archive: packChart("no-semver", "1.0.0", pageTemplate)},
		{name: "other-version", archive: packChart("other-version", "2.0.0", pageTemplate)},
		newBadApp("values-bomb", pageTemplate, chartFile{"values.yaml", aliasBomb()}),
		newBadApp("manifest-bomb", pageTemplate, appManifest("manifest-bomb", "spec: {}\n"+aliasBomb())),
		newBadApp("manifest-types", pageTemplate, appManifest("manifest-types", "spec: [this, should, be, a, map]\nentrances: 7\n")),
		badTemplateApp("syntax", "{{ .Values.greeting"),
		badTemplateApp("not-yaml", "a: b: c\n"),
		badTemplateApp("endless", "{{ range until 100000 }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}{{ end }}"),
		badTemplateApp("gigabytes", `{{ $x := repeat 100000 "0123456789" }}{{ range until 100000 }}{{ $x }}{{ end }}`),
	}
}

var _ = Describe("A source with invalid apps", Ordered, func() {
	var ns string
	var repo *fixture.Repository
	var source *v1alpha1.MarketSource
	closed := "http://" // an address without a server

	var bad, retried []badApp
	app := func(name string) *v1alpha1.AppInfo {
		return &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "bad." + name}}
	}
	expectGoodApps := func(ctx context.Context) {
		GinkgoHelper()
		for _, name := range []string{"good-1", "good-2"} {
			info := app(name)
			waitTrue(ctx, info, v1alpha1.ConditionReady)
			digest, err := fetchDigest(ctx, info.Status.Versions[0].URL)
			Expect(err).NotTo(HaveOccurred())
			Expect(digest).To(Equal(info.Status.Versions[0].Digest))
		}
	}

	BeforeAll(func(ctx SpecContext) {
		ns, repo, closed = createNamespace(ctx, "market"), fixture.NewRepository(), closed+fixture.FreeAddress()
		plain := func(name string) []byte { return packChart(name, "1.0.0", pageTemplate) }
		retried = []badApp{
			{name: "hangs", archive: plain("hangs"), handler: fixture.NoAnswer},
			{name: "error", archive: plain("error"), handler: fixture.Status(http.StatusInternalServerError)},
			{name: "busy", archive: plain("busy"), handler: fixture.Status(http.StatusTooManyRequests, "Retry-After", "2")},
			{name: "throttled", archive: plain("throttled"), handler: fixture.Status(http.StatusTooManyRequests)},
			{name: "locked", archive: plain("locked"), handler: fixture.Status(http.StatusUnauthorized)},
			{name: "unreachable", archive: plain("unreachable"), url: closed + "/unreachable.tgz"},
		}
		all := []badApp{{name: "good-1", archive: plain("good-1")}, {name: "good-2", archive: plain("good-2")}}
		bad = badApps()
		all = append(append(all, bad...), retried...)
		var index []fixture.Offer
		for _, b := range all {
			index = append(index, b.addTo(repo))
		}
		index = append(index, fixture.Offer{Name: "unversioned", Version: "latest", URL: "unversioned.tgz"})
		repo.Handle("/index.yaml", fixture.Content(bytes.Replace(fixture.IndexOf(index...), []byte("name: no-semver\n    version: 1.0.0"), []byte("name: no-semver\n    version: one"), 1)))
		source = cluster.CreateSource(ctx, ns, "bad", repo.URL, withRequestTimeout, withShortInterval, fixture.ShareWithAll)
		// The CPU time of an endless template delays the first conditions.
		endless := app("endless")
		Eventually(func(g Gomega) {
			g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(endless), endless)).To(Succeed())
			g.Expect(endless.Status.Conditions).NotTo(BeEmpty())
		}).WithContext(ctx).WithTimeout(3 * time.Minute).Should(Succeed())
	})

	DescribeTable("retries", func(ctx SpecContext, name, why string, want expectedStatus) {
		By(why)
		expectStatus(ctx, app(name), want)
	},
		Entry(nil, "hangs", "the request times out", retriedWith(v1alpha1.ConditionFetched, v1alpha1.ReasonFetchFailed)),
		Entry(nil, "error", "the server returns an error", retriedWith(v1alpha1.ConditionFetched, v1alpha1.ReasonFetchFailed)),
		Entry(nil, "busy", "the server specifies the time of the next request", rateLimited),
		Entry(nil, "throttled", "the server does not specify the time of the next request", retriedWith(v1alpha1.ConditionFetched, v1alpha1.ReasonRateLimited)),
		Entry(nil, "locked", "the server denies access", retriedWith(v1alpha1.ConditionFetched, v1alpha1.ReasonUnauthorized)),
		Entry(nil, "unreachable", "no server listens at the address", retriedWith(v1alpha1.ConditionFetched, v1alpha1.ReasonFetchFailed)),
	)

	It("serves the valid apps in the meantime", func(ctx SpecContext) { expectGoodApps(ctx) })

	It("recovers automatically from failures that are retried", func(ctx SpecContext) {
		for _, b := range retried {
			repo.Handle("/"+b.name+".tgz", fixture.Content(b.archive))
		}
		away := fixture.NewRepositoryAt(strings.TrimPrefix(closed, "http://"))
		away.Handle("/unreachable.tgz", fixture.Content(packChart("unreachable", "1.0.0", pageTemplate)))
		for _, b := range retried {
			waitTrue(ctx, app(b.name), v1alpha1.ConditionReady)
		}
	})

	DescribeTable("stalls", func(ctx SpecContext, name, why string, want expectedStatus) {
		By(why)
		expectStatus(ctx, app(name), want)
	},
		Entry(nil, "html", "a proxy returns a page", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "html-as-archive", "a page has no content type", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "cut-off", "the archive is truncated", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "digest", "the archive has another digest than the index", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonDigestMismatch)),
		Entry(nil, "gone", "the archive does not exist", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonNotFound)),
		Entry(nil, "traversal", "a path leaves the folder of the chart", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "absolute", "a path is absolute", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "symlink", "the archive contains a symbolic link", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "hardlink", "the archive contains a hard link", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidArchive)),
		Entry(nil, "ratio", "the compression ratio is too high", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonLimitExceeded)),
		Entry(nil, "size", "the unpacked size is too large", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonLimitExceeded)),
		Entry(nil, "count", "the archive contains too many files", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonLimitExceeded)),
		Entry(nil, "depth", "a path contains too many folders", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonLimitExceeded)),
		Entry(nil, "other-version", "the chart has another version than the index", stalledWith(v1alpha1.ConditionFetched, v1alpha1.ReasonInvalidChart)),
		Entry(nil, "values-bomb", "the aliases expand to too many values", stalledWith(v1alpha1.ConditionRendered, v1alpha1.ReasonRenderFailed)),
		Entry(nil, "manifest-bomb", "the aliases expand to too many values", stalledWith(v1alpha1.ConditionRendered, v1alpha1.ReasonInvalidManifest)),
		Entry(nil, "manifest-types", "a field has the wrong type", stalledWith(v1alpha1.ConditionRendered, v1alpha1.ReasonInvalidManifest)),
		Entry(nil, "syntax", "the template has a syntax error", stalledWith(v1alpha1.ConditionRendered, v1alpha1.ReasonRenderFailed)),
		Entry(nil, "not-yaml", "the template renders invalid YAML", stalledWith(v1alpha1.ConditionRendered, v1alpha1.ReasonRenderFailed)),
		Entry(nil, "endless", "the template does not end", stalledWith(v1alpha1.ConditionRendered, v1alpha1.ReasonLimitExceeded)),
		Entry(nil, "gigabytes", "the template renders gigabytes", stalledWith(v1alpha1.ConditionRendered, v1alpha1.ReasonLimitExceeded)),
	)

	It("reports the number of failed apps, and the invalid entries of the index", func(ctx SpecContext) {
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		failures := map[string]v1alpha1.AppFailure{}
		for _, f := range source.Status.Failures {
			failures[f.App] = f
		}
		for _, name := range []string{"unversioned", "no-semver"} {
			Expect(failures).To(HaveKey(name), "the version is not a semantic version")
			Expect(failures[name].Condition).To(Equal(v1alpha1.ConditionIndexed))
			Expect(failures[name].Reason).To(Equal(v1alpha1.ReasonInvalidIndex))
		}
		Expect(source.Status.Apps.Ready).To(BeEquivalentTo(2 + len(retried)))
		Expect(source.Status.Apps.Failed).To(BeEquivalentTo(len(bad) + 1))
		expectGoodApps(ctx)
		expectStatusContract(ctx, ns)
	})

	It("recovers automatically when it offers valid archives", func(ctx SpecContext) {
		var index []fixture.Offer
		for _, b := range bad {
			better := badApp{name: b.name, archive: packChart(b.name, "1.0.0", pageTemplate)}
			index = append(index, better.addTo(repo))
		}
		repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(index...)))
		for _, b := range bad {
			waitTrue(ctx, app(b.name), v1alpha1.ConditionReady)
		}
		Eventually(func(g Gomega) {
			g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(source), source)).To(Succeed())
			g.Expect(source.Status.Failures).To(BeEmpty())
			g.Expect(source.Status.Apps.Ready).To(BeEquivalentTo(len(bad)))
		}).WithContext(ctx).Should(Succeed())
		expectStatusContract(ctx, ns)
	})
})
