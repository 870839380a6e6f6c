package marketsource_test

import (
	"fmt"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/onsi/gomega"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("The apps of a source", func() {
	var b *marketFixture
	BeforeEach(func() {
		b = newMarketFixture()
		b.addVersions("web", "1.0.0", "1.10.0", "1.9.0", "1.8.0")
		b.addVersions("blog", "2.0.0")
	})

	It("are created with the data of the source", func() {
		b.expectSuccess()
		Expect(b.appNames()).To(Equal([]string{"blog", "web"}))
		web := b.getApp("web")
		Expect(web.Labels).To(Equal(map[string]string{v1alpha1.SourceLabel: "main", v1alpha1.AppLabel: "web"}))
		Expect(metav1.IsControlledBy(web, b.source)).To(BeTrue())
		Expect(web.Finalizers).To(Equal([]string{v1alpha1.Finalizer}))
		Expect(web.Spec.SourceRef.Name).To(Equal("main"))
		var versions []string
		for _, o := range web.Spec.Offers {
			versions = append(versions, o.Version)
		}
		Expect(versions).To(Equal([]string{"1.10.0", "1.9.0", "1.8.0"}), "the newest three, newest first")
		created := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		first := web.Spec.Offers[0]
		Expect(first.Created.Equal(&created)).To(BeTrue())
		first.Created = nil
		Expect(first).To(Equal(v1alpha1.Offer{
			Version: "1.10.0", AppVersion: "v1.10.0", URL: "web-1.10.0.tgz", Digest: chart.Digest([]byte("web1.10.0"))}))
		Expect(b.source.Status.RepositoryURL).To(Equal(repositoryURL + "/" + b.source.Namespace + "/main"))
		b.expectSuccess()
		b.expectNoWrites()
	})

	It("have as many versions as are to be kept", func() {
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Filter = &v1alpha1.AppFilter{MaxVersions: 1} })
		b.syncAndServe()
		Expect(b.getApp("web").Spec.Offers).To(HaveLen(1))
		b.editSource(func(s *v1alpha1.MarketSource) { s.Spec.Filter.MaxVersions = 4 })
		b.expectSuccess()
		Expect(b.getApp("web").Spec.Offers).To(HaveLen(4))
	})

	It("are those that the globs let in", func() {
		b.editSource(func(s *v1alpha1.MarketSource) {
			s.Spec.Filter = &v1alpha1.AppFilter{Include: []string{"web*", "blog"}, Exclude: []string{"*og"}}
		})
		b.syncAndServe()
		Expect(b.appNames()).To(Equal([]string{"web"}))
	})

	It("are written where something changed, and there only", func() {
		b.syncAndServe()
		b.addVersions("blog", "2.1.0")
		b.expectSuccess("1ns")
		Expect(b.writes.Take()).To(Equal([]string{"apply", "patch status"}))
	})

	It("go when the source no longer has them", func() {
		b.syncAndServe()
		b.removeApp("blog")
		b.expectSuccess("1ns")
		Expect(b.appNames()).To(Equal([]string{"web"}))
		Expect(b.source.Status.Apps.Total).To(Equal(int32(1)))
		Expect(b.takeResponses()).To(Equal([]string{"200"}))
		b.expectSuccess()
		b.removeFinalizers()
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		Expect(b.source.Status.Apps.Total).To(Equal(int32(1)))
		Expect(b.takeResponses()).To(BeEmpty())
		b.expectNoWrites()
	})

	DescribeTable("stay without versions where a user has made a decision that applies when the source offers them again",
		func(decide func(*v1alpha1.AppInfoSpec)) {
			b.syncAndServe()
			blog := b.getApp("blog")
			before := client.MergeFrom(blog.DeepCopy())
			decide(&blog.Spec)
			Expect(server.Client.Patch(b.ctx, blog, before)).To(Succeed())
			decided := blog.Spec
			b.removeApp("blog")
			b.expectSuccess("1ns")
			Expect(b.appNames()).To(Equal([]string{"blog", "web"}))
			Expect(b.getApp("blog").Spec.Offers).To(BeEmpty())
			b.expectSuccess()
			Expect(b.source.Status.Apps).To(HaveValue(And(HaveField("Total", int32(1)), HaveField("Offered", int32(1)), HaveField("Ready", int32(1)))))
			b.expectNoWrites()

			b.addVersions("blog", "2.0.0")
			b.expectSuccess("1ns")
			Expect(b.getApp("blog").Spec).To(Equal(decided))
			Expect(b.source.Status.Apps.Total).To(Equal(int32(2)))

			b.removeApp("blog")
			b.expectSuccess("1ns")
			blog = b.getApp("blog")
			before = client.MergeFrom(blog.DeepCopy())
			blog.Spec.Listing, blog.Spec.AcceptedDigests = "", nil
			Expect(server.Client.Patch(b.ctx, blog, before)).To(Succeed())
			b.addVersions("shop", "1.0.0")
			b.expectSuccess("1ns")
			Expect(b.appNames()).To(Equal([]string{"shop", "web"}), "the decision was revoked")
		},
		Entry("an app that is withdrawn", func(spec *v1alpha1.AppInfoSpec) { spec.Listing = v1alpha1.ListingWithdrawn }),
		Entry("an app that is suspended", func(spec *v1alpha1.AppInfoSpec) { spec.Listing = v1alpha1.ListingSuspended }),
		Entry("an accepted digest", func(spec *v1alpha1.AppInfoSpec) {
			spec.AcceptedDigests = []v1alpha1.AcceptedDigest{{Version: "2.0.0", Digest: chart.Digest(nil)}}
		}),
	)

	It("stay where an index that is no YAML may only hide them", func() {
		b.addVersions("zoo", "1.0.0")
		b.syncAndServe()
		const web = "apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: 1.0.0\n    urls: [u]\n"
		b.setBody(web + "   blog:\n   - name: blog\n")
		b.expectSuccess("1ns")
		Expect(b.appNames()).To(Equal([]string{"blog", "web", "zoo"}))
		Expect(b.source.Status.Failures).To(ConsistOf(And(HaveField("App", "web"), HaveField("Message", ContainSubstring("line 7")))))
		b.setBody(web)
		b.expectSuccess("1ns")
		Expect(b.appNames()).To(Equal([]string{"web"}), "what the source no longer offers goes")
	})

	It("stay where no entry of theirs is usable any more", func() {
		b.syncAndServe()
		b.setBody("apiVersion: v1\nentries:\n  web:\n  - null\n  wiki:\n  - null\n")
		b.expectSuccess("1ns")
		Expect(b.appNames()).To(Equal([]string{"web"}), "and none is made of nothing")
	})

	It("are deleted, but not the AppInfos of other sources", func() {
		other := &v1alpha1.AppInfo{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.source.Namespace, Name: "main.mine", Labels: map[string]string{v1alpha1.SourceLabel: "main"}},
			Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "main"}, App: "mine"},
		}
		server.Create(GinkgoTB(), other)
		b.expectSuccess()
		Expect(b.appNames()).To(Equal([]string{"blog", "mine", "web"}))
	})

	It("are created again when they were deleted", func() {
		b.syncAndServe()
		Expect(server.Client.Delete(b.ctx, b.getApp("blog"))).To(Succeed())
		b.removeFinalizers()
		result := b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForApp"))
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(Equal("waiting for the AppInfo of 1 app"))
		Expect(result.RequeueAfter).To(Equal(5 * time.Second))
		Expect(b.takeResponses()).To(BeEmpty(), "the cache may only be late")
		Eventually(func() []string {
			b.expectSuccess()
			return b.appNames()
		}).WithTimeout(20 * time.Second).WithPolling(200 * time.Millisecond).Should(Equal([]string{"blog", "web"}))
		Expect(b.takeResponses()).To(Equal([]string{"200"}))
		b.setServed("blog")
		b.expectSuccess()
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		b.expectNoWrites()
	})

	It("keep what people set in them, and lose what they spoilt", func() {
		b.syncAndServe()
		web := b.getApp("web")
		before := client.MergeFrom(web.DeepCopy())
		web.Spec.Suspend = new(true)
		web.Spec.CustomParams = &runtime.RawExtension{Raw: []byte(`{"color":"blue"}`)}
		web.Labels["team"] = "red"
		Expect(server.Client.Patch(b.ctx, web, before)).To(Succeed())
		b.expectSuccess("1ns")
		b.expectNoWrites()

		before = client.MergeFrom(web.DeepCopy())
		web.Spec.Offers = web.Spec.Offers[:1]
		web.Labels[v1alpha1.AppLabel] = "other"
		Expect(server.Client.Patch(b.ctx, web, before)).To(Succeed())
		b.requestReconcile("now")
		b.expectSuccess()
		web = b.getApp("web")
		Expect(web.Spec.Offers).To(HaveLen(3))
		Expect(web.Labels).To(Equal(map[string]string{v1alpha1.SourceLabel: "main", v1alpha1.AppLabel: "web", "team": "red"}))
		Expect(*web.Spec.Suspend).To(BeTrue())
		Expect(string(web.Spec.CustomParams.Raw)).To(Equal(`{"color":"blue"}`))
	})

	It("may be many", func() {
		for i := range 100 {
			b.addVersions(fmt.Sprintf("app%d", i), "1.0.0")
		}
		b.expectSuccess()
		Expect(b.appNames()).To(HaveLen(102))
		Expect(b.source.Status.Apps.Total).To(Equal(int32(102)))
		b.expectSuccess()
		Expect(b.takeResponses()).To(Equal([]string{"200"}))
		b.expectNoWrites()
	})
})
