package story_test

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// createSampleSource creates a source of the sample market and waits until it is Ready.
func createSampleSource(ctx context.Context, ns string) *v1alpha1.MarketSource {
	GinkgoHelper()
	source := cluster.CreateSource(ctx, ns, "samples", sampleServer.URL, fixture.ShareWithAll, fixture.AsOlares)
	waitTrue(ctx, source, v1alpha1.ConditionReady)
	return source
}

// waitTrue waits until a condition is True for the current generation.
func waitTrue(ctx context.Context, o v1alpha1.Object, condition string) {
	GinkgoHelper()
	cluster.WaitTrue(ctx, o, condition)
}

// requestStatus returns the status of the response to a request without a token.
func requestStatus(ctx context.Context, url string) int {
	GinkgoHelper()
	status, _ := fixture.Ask(ctx, url)
	return status
}

var _ = Describe("A market administrator", func() {
	It("applies a source, and its apps are published", func(ctx SpecContext) {
		ns := createNamespace(ctx, "market")
		source := createSampleSource(ctx, ns)

		By("reading the offered and the failed apps")
		Expect(source.Status.Apps.Failed).To(BeEquivalentTo(1))
		Expect(source.Status.Apps.Ready).To(Equal(source.Status.Apps.Total - 1))
		Expect(source.Status.Failures).To(HaveLen(1))
		Expect(source.Status.Failures[0].App).To(Equal("broken"))
		Expect(source.Status.Failures[0].Condition).To(Equal(v1alpha1.ConditionRendered))
		Expect(source.Status.Failures[0].Message).To(ContainSubstring("templates/configmap.yaml:"))

		By("reading the images of an app")
		app := &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "samples.hello"}}
		Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(app), app)).To(Succeed())
		Expect(app.Status.Images).NotTo(BeEmpty())
		Expect(app.Status.Images[0].Platforms).To(ContainElements("linux/amd64", "linux/arm64"))
		Expect(app.Status.Images[0].LargestPlatformBytes).To(BeNumerically(">", 0))

		By("downloading the charts from the repository")
		Expect(requestStatus(ctx, source.Status.RepositoryURL+"/index.yaml")).To(Equal(http.StatusOK))
		Expect(requestStatus(ctx, app.Status.Versions[0].URL)).To(Equal(http.StatusOK))
		Expect(requestStatus(ctx, app.Status.Versions[0].ReportURL+"/objects.yaml")).To(Equal(http.StatusOK))
	})

	It("deletes a source, and its apps are deleted", func(ctx SpecContext) {
		ns := createNamespace(ctx, "market")
		source := createSampleSource(ctx, ns)
		Expect(k8sClient.Delete(ctx, source)).To(Succeed())
		Eventually(func(g Gomega) {
			var apps v1alpha1.AppInfoList
			g.Expect(k8sClient.List(ctx, &apps, client.InNamespace(ns))).To(Succeed())
			g.Expect(apps.Items).To(BeEmpty())
		}).WithContext(ctx).Should(Succeed())
		Expect(requestStatus(ctx, source.Status.RepositoryURL+"/index.yaml")).To(Equal(http.StatusUnauthorized), "the response is the same as for a source that is not shared")
	})
})
