package integration_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/test/fixture"
)

// publishCharts permits uploading charts to a source.
var publishCharts = rbacv1.PolicyRule{
	APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"marketsources/upload"}, Verbs: []string{"get", "create", "delete"},
}

// addUploadSource creates a source of type Upload in the tenant's namespace, and permits the tenant to
// upload to it.
func addUploadSource(ctx context.Context, t *fixture.Tenant, upload v1alpha1.UploadSource, change ...fixture.SourceChange) {
	GinkgoHelper()
	t.Grant(ctx, publishCharts)
	t.Source = t.CreateSource(ctx, t.Namespace, "charts", "", append(change, func(s *v1alpha1.MarketSourceSpec) {
		s.Type, s.Helm, s.Upload = v1alpha1.SourceTypeUpload, nil, &upload
	})...)
	t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
}

// sendUpload sends a request for an archive of the source, and returns the status and the body of the
// response.
func sendUpload(ctx context.Context, t *fixture.Tenant, method, file string, content []byte) (int, string) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, method, suite.URL+"/upload/"+t.Namespace+"/charts/"+file, bytes.NewReader(content))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+t.Token(ctx))
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return response.StatusCode, string(body)
}

var _ = Describe("A source of type Upload", func() {
	It("offers charts as soon as helm has pushed them, and keeps what is installed", func(ctx SpecContext) {
		t := newTenant(ctx)
		addUploadSource(ctx, t, v1alpha1.UploadSource{})
		host := strings.TrimPrefix(suite.URL, "http://")
		helm := fixture.NewHelm(cluster, "HELM3")
		helm.Run(ctx, "registry", "login", host, "--username", "x", "--password", t.Token(ctx, "appmarket.io"), "--plain-http")
		archive := filepath.Join(GinkgoT().TempDir(), "site-1.0.0.tgz")
		content := siteChart("1.0.0").Archive()
		Expect(os.WriteFile(archive, content, 0o600)).To(Succeed())
		helm.Run(ctx, "push", archive, "oci://"+host+"/"+t.Namespace+"/charts", "--plain-http")
		Eventually(func() error {
			return t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "charts.site"}, &v1alpha1.AppInfo{})
		}).WithContext(ctx).WithTimeout(timeout / 4).Should(Succeed())
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
		Expect(t.Instance(ctx, "site").Status.Version).To(Equal("1.0.0"))

		status, _ := sendUpload(ctx, t, http.MethodHead, "site-1.0.0.tgz?digest="+chart.Digest(content), nil)
		Expect(status).To(Equal(http.StatusOK), "known bytes")
		status, body := sendUpload(ctx, t, http.MethodPut, "site-1.0.0.tgz", siteChart("1.0.0").With("1.0.0", fixture.Files{"README.md": "changed\n"}).Archive())
		Expect(status).To(Equal(http.StatusConflict), body)
		t.Grant(ctx, rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"appinstances"}, Verbs: []string{"list"}})
		status, body = sendUpload(ctx, t, http.MethodDelete, "site-1.0.0.tgz", nil)
		Expect(status).To(Equal(http.StatusConflict))
		Expect(body).To(ContainSubstring(t.Namespace + "/site"))

		status, body = sendUpload(ctx, t, http.MethodPut, "site-1.1.0.tgz", siteChart("1.1.0").Archive())
		Expect(status).To(Equal(http.StatusCreated), body)
		Eventually(func() string { return t.App(ctx, "site").Status.SelectedVersion }).WithContext(ctx).Should(Equal("1.1.0"))
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "site")
		status, body = sendUpload(ctx, t, http.MethodDelete, "site-1.0.0.tgz", nil)
		Expect(status).To(Equal(http.StatusNoContent), body)
		Eventually(func() []v1alpha1.Offer { return t.App(ctx, "site").Spec.Offers }).WithContext(ctx).Should(ConsistOf(HaveField("Version", "1.1.0")))
	})

	It("responds alike to clients without permission whether or not the source exists", func(ctx SpecContext) {
		t, other := newTenant(ctx), fixture.NewTenant(ctx, cluster)
		addUploadSource(ctx, t, v1alpha1.UploadSource{})
		ask := func(namespace, source string) []any {
			status, body := fixture.Ask(ctx, suite.URL+"/upload/"+namespace+"/"+source+"/", "Authorization", "Bearer "+other.Token(ctx))
			return []any{status, string(body)}
		}
		denied := ask(t.Namespace, "charts")
		Expect(denied[0]).To(Equal(http.StatusForbidden))
		Expect(ask(t.Namespace, "absent")).To(Equal(denied))
		Expect(ask("no-such-namespace", "charts")).To(Equal(denied))
	})

	It("keeps its apps and says why if the volume has lost the charts", Serial, func(ctx SpecContext) {
		t := newTenant(ctx)
		addUploadSource(ctx, t, v1alpha1.UploadSource{})
		status, body := sendUpload(ctx, t, http.MethodPut, "site-1.0.0.tgz", siteChart("1.0.0").Archive())
		Expect(status).To(Equal(http.StatusCreated), body)
		Eventually(func(g Gomega) {
			app := &v1alpha1.AppInfo{}
			g.Expect(t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "charts.site"}, app)).To(Succeed())
			g.Expect(app.Status.SelectedVersion).To(Equal("1.0.0"))
		}).WithContext(ctx).Should(Succeed())
		operator.Kill()
		for _, folder := range []string{"uploads", "records", "blobs"} {
			Expect(os.RemoveAll(filepath.Join(operator.Store, folder))).To(Succeed())
		}
		operator.Start()
		message := t.WaitCondition(ctx, t.Source, v1alpha1.ConditionReachable, metav1.ConditionFalse, v1alpha1.ReasonNotFound)
		Expect(message).To(ContainSubstring("upload the charts again"))
		message = t.WaitCondition(ctx, t.App(ctx, "site"), v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotFound)
		Expect(message).To(ContainSubstring("does not contain the chart site-1.0.0.tgz"))

		status, body = sendUpload(ctx, t, http.MethodPut, "site-1.0.0.tgz", siteChart("1.0.0").Archive())
		Expect(status).To(Equal(http.StatusCreated), body)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		t.WaitTrue(ctx, t.App(ctx, "site"), v1alpha1.ConditionReady)
	})

	DescribeTable("serves an app whose archive on the volume was damaged, after it was uploaded again", Serial,
		func(ctx SpecContext, damage func(path string, content []byte) error, reason string) {
			t := newTenant(ctx)
			addUploadSource(ctx, t, v1alpha1.UploadSource{})
			content := siteChart("1.0.0").Archive()
			known := "site-1.0.0.tgz?digest=" + chart.Digest(content)
			status, body := sendUpload(ctx, t, http.MethodPut, known, content)
			Expect(status).To(Equal(http.StatusCreated), body)
			Eventually(func(g Gomega) {
				app := &v1alpha1.AppInfo{}
				g.Expect(t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "charts.site"}, app)).To(Succeed())
				g.Expect(app.Status.SelectedVersion).To(Equal("1.0.0"))
			}).WithContext(ctx).Should(Succeed())
			t.Succeed(ctx, v1alpha1.ActionInstall, "site")

			By("damaging the volume while the operator is stopped")
			operator.Kill()
			for _, folder := range []string{"records", "blobs"} {
				Expect(os.RemoveAll(filepath.Join(operator.Store, folder))).To(Succeed())
			}
			files, err := filepath.Glob(filepath.Join(operator.Store, "uploads/charts", t.Namespace, "charts/blobs/*"))
			Expect(err).NotTo(HaveOccurred())
			Expect(files).NotTo(BeEmpty())
			for _, file := range files {
				content, err := os.ReadFile(file)
				Expect(err).NotTo(HaveOccurred())
				Expect(damage(file, content)).To(Succeed())
			}
			operator.Start()
			message := t.WaitCondition(ctx, t.App(ctx, "site"), v1alpha1.ConditionReady, metav1.ConditionFalse, reason)
			Expect(message).To(ContainSubstring("upload the chart again"))

			By("uploading the same archive again")
			status, _ = sendUpload(ctx, t, http.MethodHead, known, nil)
			Expect(status).To(Equal(http.StatusNotFound), "the archive was lost")
			status, body = sendUpload(ctx, t, http.MethodPut, known, content)
			Expect(status).To(Equal(http.StatusOK), body)
			t.WaitTrue(ctx, t.App(ctx, "site"), v1alpha1.ConditionReady)
		},
		Entry("a changed bit", func(path string, content []byte) error {
			content[len(content)/2] ^= 4
			return os.WriteFile(path, content, 0o600)
		}, v1alpha1.ReasonDigestMismatch),
		Entry("a lost file", func(path string, _ []byte) error { return os.Remove(path) }, v1alpha1.ReasonNotFound),
	)

	It("offers charts in ConfigMaps", func(ctx SpecContext) {
		t := newTenant(ctx)
		chartMap := func(name, key string, data []byte) *corev1.ConfigMap {
			return &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: name, Labels: map[string]string{"chart-of": "team"}},
				BinaryData: map[string][]byte{key: data},
			}
		}
		Expect(t.Client.Create(ctx, chartMap("site", "site.tgz", siteChart("1.0.0").Archive()))).To(Succeed())
		Expect(t.Client.Create(ctx, chartMap("broken", "broken.tgz", []byte("text")))).To(Succeed())
		addUploadSource(ctx, t, v1alpha1.UploadSource{ConfigMapSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"chart-of": "team"}}})
		Expect(t.Source.Status.Failures).To(ConsistOf(And(HaveField("App", "broken/broken.tgz"), HaveField("Reason", v1alpha1.ReasonInvalidArchive))))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")

		status, body := sendUpload(ctx, t, http.MethodPut, "site-1.0.0.tgz", siteChart("1.0.0").With("1.0.0", fixture.Files{"README.md": "other\n"}).Archive())
		Expect(status).To(Equal(http.StatusCreated), body)
		Eventually(func() []v1alpha1.AppFailure {
			Expect(t.Client.Get(ctx, client.ObjectKeyFromObject(t.Source), t.Source)).To(Succeed())
			return t.Source.Status.Failures
		}).WithContext(ctx).Should(ContainElement(And(HaveField("App", "site"), HaveField("Message", ContainSubstring("another content")))))
	})

	It("does not replace the chart of a version in a ConfigMap, unless the source allows it", func(ctx SpecContext) {
		t := newTenant(ctx)
		charts := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "site", Labels: map[string]string{"chart-of": "team"}},
			BinaryData: map[string][]byte{"site.tgz": siteChart("1.0.0").Archive()},
		}
		Expect(t.Client.Create(ctx, charts)).To(Succeed())
		addUploadSource(ctx, t, v1alpha1.UploadSource{ConfigMapSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"chart-of": "team"}}},
			func(s *v1alpha1.MarketSourceSpec) { s.MutableVersions = "" })
		before := t.App(ctx, "site").Status.Versions[0].Digest

		t.Patch(ctx, charts, func() {
			charts.BinaryData["site.tgz"] = siteChart("1.0.0").With("1.0.0", fixture.Files{"README.md": "other\n"}).Archive()
		})
		t.Sync(ctx)
		t.WaitCondition(ctx, t.App(ctx, "site"), v1alpha1.ConditionFetched, metav1.ConditionFalse, v1alpha1.ReasonMutated)
		Expect(t.App(ctx, "site").Status.Versions[0].Digest).To(Equal(before))

		t.Patch(ctx, t.Source, func() { t.Source.Spec.Upload.AllowOverwrite = new(true) })
		t.WaitTrue(ctx, t.App(ctx, "site"), v1alpha1.ConditionFetched)
		Expect(t.App(ctx, "site").Status.Versions[0].Digest).NotTo(Equal(before))
	})
})
