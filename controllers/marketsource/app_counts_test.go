package marketsource_test

import (
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("Counting the apps of a source", func() {
	var b *marketFixture
	BeforeEach(func() { b = newMarketFixture() })

	// listed lists the apps, which are not hydrated.
	listed := func(apps ...string) {
		GinkgoHelper()
		for _, app := range apps {
			b.addVersions(app, "1.0.0")
		}
		b.expectSuccess()
		b.expectSuccess()
	}
	failed := func() []string {
		var names []string
		for _, f := range b.source.Status.Failures {
			names = append(names, f.App)
		}
		return names
	}

	It("waits until all are dealt with", func() {
		listed("web", "blog", "wiki")
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForApp"))
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(Equal("hydrating: 0 of 3 apps served"))
		b.setServed("web")
		b.setRenderFailed("blog", "no value")
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("Unknown WaitingForApp"))
		b.expectNoWrites()
		b.setServed("wiki")
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("2 of 3 apps served, 1 failed; see status.failures"))
		Expect(*b.source.Status.Apps).To(Equal(v1alpha1.AppCounts{Total: 3, Offered: 3, Ready: 2, Failed: 1}))
		Expect(b.source.Status.Failures).To(Equal([]v1alpha1.AppFailure{
			{App: "blog", Condition: v1alpha1.ConditionRendered, Reason: v1alpha1.ReasonRenderFailed, Message: "no value"}}))
		b.expectNoWrites()
	})

	It("waits where the cache does not show yet that it was listed", func() {
		b.readSource()
		old := b.source.DeepCopy()
		old.Status = v1alpha1.MarketSourceStatus{ObservedGeneration: -1}
		b.expectSuccess()
		result, err := b.reconciler.Reconcile(b.ctx, old)
		Expect(err).NotTo(HaveOccurred())
		Expect(result).To(HaveField("Requeue", BeTrue()), "its status was changed meanwhile")
	})

	It("does not wait where being listed is enough", func() {
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.ReadyWhen = v1alpha1.ReadyWhenSynced })
		listed("web", "blog")
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("0 of 2 apps served"))
		b.setRenderFailed("web", "no value")
		b.setRenderFailed("blog", "no value")
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		b.expectNoWrites()
	})

	It("waits for an app whose newest spec was not observed", func() {
		listed("web", "blog")
		b.setServed("web")
		b.setServed("blog")
		b.editAppStatus("blog", func(app *v1alpha1.AppInfo) { app.Status.ObservedGeneration = 0 })
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForApp"))
	})

	It("is not ready while no app is served", func() {
		listed("web", "blog")
		b.setRenderFailed("web", "no value")
		b.setRenderFailed("blog", "no value")
		result := b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False AppsNotReady"))
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True AppsNotReady"))
		Expect(result.RequeueAfter).NotTo(BeZero(), "the source is polled as before")
		b.expectNoWrites()
		b.setServed("web")
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
	})

	It("counts an app as served and failed whose next version fails", func() {
		listed("web")
		b.setServed("web")
		b.editAppStatus("web", func(app *v1alpha1.AppInfo) {
			app.Status.Conditions = append(app.Status.Conditions,
				b.newCondition(app, v1alpha1.ConditionFetched, metav1.ConditionFalse, v1alpha1.ReasonFetchFailed, "no answer"),
				b.newCondition(app, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressingWithRetry, "no answer"))
		})
		b.expectSuccess()
		Expect(*b.source.Status.Apps).To(Equal(v1alpha1.AppCounts{Total: 1, Offered: 1, Ready: 1, Failed: 1}))
		Expect(b.source.Status.Failures[0].Condition).To(Equal(v1alpha1.ConditionFetched))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
	})

	It("does not wait for an app that is suspended", func() {
		listed("web", "blog")
		b.setServed("web")
		blog := b.getApp("blog")
		before := client.MergeFrom(blog.DeepCopy())
		blog.Spec.Suspend = new(true)
		Expect(server.Client.Patch(b.ctx, blog, before)).To(Succeed())
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		Expect(*b.source.Status.Apps).To(Equal(v1alpha1.AppCounts{Total: 2, Offered: 2, Ready: 1, Suspended: 1}))
		b.expectNoWrites()
	})

	It("does not count an app that is on its way out", func() {
		listed("web", "blog")
		b.setServed("web")
		b.setRenderFailed("blog", "no value")
		b.removeApp("blog")
		b.expectSuccess("1ns")
		b.expectSuccess()
		Expect(*b.source.Status.Apps).To(Equal(v1alpha1.AppCounts{Total: 1, Offered: 1, Ready: 1}))
		Expect(failed()).To(BeEmpty())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		b.expectNoWrites()
	})

	It("tells of entries that are no apps, over any number of counts", func() {
		b.addInvalidEntries(3)
		listed("web")
		b.setServed("web")
		for range 3 {
			b.expectSuccess()
			Expect(*b.source.Status.Apps).To(Equal(v1alpha1.AppCounts{Total: 4, Offered: 1, Ready: 1, Failed: 3, Skipped: 3}))
			Expect(failed()).To(Equal([]string{"Broken00", "Broken01", "Broken02"}))
		}
		Expect(b.source.Status.Failures[0].Condition).To(Equal(v1alpha1.ConditionIndexed))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		b.expectNoWrites()
		b.requestReconcile("now")
		b.expectSuccess()
		Expect(failed()).To(HaveLen(3))
		b.expectNoWrites()
	})

	It("counts every entry that is not usable, and every app once", func() {
		b.setBody("apiVersion: v1\nentries:\n  web:\n  - {name: web, version: 1.0.0, urls: [u]}\n  - null\n  - {version: 2.0.0}\n" +
			"  - {name: web, version: master, urls: [u]}\n  empty:\n  - null\n  - null\n")
		b.expectSuccess()
		b.setServed("web")
		b.expectSuccess()
		Expect(*b.source.Status.Apps).To(Equal(v1alpha1.AppCounts{Total: 2, Offered: 1, Ready: 1, Failed: 1, Skipped: 5}))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("1 of 2 apps served, 1 failed, 5 entries skipped; see status.failures"))
		Expect(b.conditionMessage(v1alpha1.ConditionIndexed)).To(Equal("1 app offered"))
		Expect(b.source.Status.Failures).To(ConsistOf(
			And(HaveField("App", "empty"), HaveField("Message", "read entry: not a mapping of keys to values (2 entries)")),
			And(HaveField("App", "web"), HaveField("Message", ContainSubstring(`version "master" is not a semantic version`)))))
		b.expectNoWrites()
	})

	DescribeTable("says why there is no app", func(include, exclude []string, want string) {
		for _, app := range []string{"web", "blog", "wiki"} {
			b.addVersions(app, "1.0.0", "2.0.0")
		}
		b.editSource(func(s *v1alpha1.MarketSource) {
			s.Spec.Filter = &v1alpha1.AppFilter{Include: include, Exclude: exclude}
		})
		for range 2 {
			b.expectSuccess()
			Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
			Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal(want))
			b.expectNoWrites()
		}
		b.setFailure(http.StatusInternalServerError, "")
		_, _ = b.reconcileSource("1ns")
		b.setFailure(0, "")
		b.expectSuccess("1ns")
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal(want), "after a failure too")
	},
		Entry("which is the pattern", []string{"shop*"}, nil, "spec.filter.include matches no app of the source (3 apps offered); correct the patterns"),
		Entry("which is the other pattern", nil, []string{"*"}, "spec.filter.exclude matches all apps of the source (3 apps offered); correct the patterns"),
		Entry("which is both", []string{"w*"}, []string{"*i*", "web"}, "spec.filter.include and spec.filter.exclude select no app of the source (3 apps offered); correct the patterns"),
	)

	It("bounds what it tells of failures", func() {
		b.addInvalidEntries(15)
		var apps []string
		for i := range 30 {
			apps = append(apps, fmt.Sprintf("app%02d", i))
		}
		listed(apps...)
		for _, app := range apps {
			b.setRenderFailed(app, strings.Repeat("é", 1000))
		}
		b.expectSuccess()
		Expect(*b.source.Status.Apps).To(Equal(v1alpha1.AppCounts{Total: 45, Offered: 30, Failed: 45, Skipped: 15}))
		Expect(failed()).To(HaveLen(20))
		Expect(failed()[9:11]).To(Equal([]string{"Broken09", "app00"}))
		Expect([]rune(b.source.Status.Failures[19].Message)).To(HaveLen(512))
		b.expectNoWrites()
	})

	It("counts what the source withdrew", func() {
		listed("web", "blog")
		b.setServed("web")
		blog := b.getApp("blog")
		before := client.MergeFrom(blog.DeepCopy())
		blog.Spec.Withdrawn = true // A Helm repository cannot withdraw an app; a directory can.
		Expect(server.Client.Patch(b.ctx, blog, before)).To(Succeed())
		b.setServed("blog")
		b.expectSuccess()
		Expect(*b.source.Status.Apps).To(Equal(v1alpha1.AppCounts{Total: 2, Offered: 2, Ready: 2, Withdrawn: 1}))
	})

	It("has nothing to count", func() {
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("0 apps offered"))
		b.expectNoWrites()
	})
})
