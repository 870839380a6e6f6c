package integration_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/test/fixture"
)

// listInstances permits listing the instances of all namespaces.
var listInstances = rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"appinstances"}, Verbs: []string{"list"}}

var _ = Describe("An uploaded chart", func() {
	It("is pushed, installed by a tenant, kept while it is installed, and deleted", func(ctx SpecContext) {
		publisher, tenant := newMarketTenant(ctx), newTenant(ctx)
		publisher.GrantCluster(ctx, listInstances)
		addUploadSource(ctx, publisher, v1alpha1.UploadSource{}, fixture.ShareWithAll)
		tenant.Source = publisher.Source
		host := strings.TrimPrefix(suite.URL, "http://")
		helm := fixture.NewHelm(cluster, "HELM3")
		helm.Run(ctx, "registry", "login", host, "--username", "x", "--password", publisher.Token(ctx, "appmarket.io"), "--plain-http")
		archive := filepath.Join(GinkgoT().TempDir(), "site-1.0.0.tgz")
		push := func(content []byte) (string, error) {
			Expect(os.WriteFile(archive, content, 0o600)).To(Succeed())
			return helm.TryRun(ctx, "push", archive, "oci://"+host+"/"+publisher.Namespace+"/charts", "--plain-http")
		}

		By("pushing it")
		content := siteChart("1.0.0").Archive()
		out, err := push(content)
		Expect(err).NotTo(HaveOccurred(), out)
		Eventually(func() error {
			return publisher.Client.Get(ctx, client.ObjectKey{Namespace: publisher.Namespace, Name: "charts.site"}, &v1alpha1.AppInfo{})
		}).WithContext(ctx).Should(Succeed())

		By("pushing it again")
		status, _ := sendUpload(ctx, publisher, http.MethodHead, "site-1.0.0.tgz?digest="+chart.Digest(content), nil)
		Expect(status).To(Equal(http.StatusOK), "known bytes are not sent again")
		out, err = push(content)
		Expect(err).NotTo(HaveOccurred(), out)

		By("pushing the same version with another digest")
		out, err = push(siteChart("1.0.0").With("1.0.0", fixture.Files{"README.md": "changed\n"}).Archive())
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("with another content"))

		By("installing it as a tenant of another namespace")
		tenant.Succeed(ctx, v1alpha1.ActionInstall, "site")
		Expect(tenant.Instance(ctx, "site").Status.Version).To(Equal("1.0.0"))

		By("deleting it while it is installed")
		status, body := sendUpload(ctx, publisher, http.MethodDelete, "site-1.0.0.tgz", nil)
		Expect(status).To(Equal(http.StatusConflict))
		Expect(body).To(ContainSubstring(tenant.Namespace + "/site"))

		By("deleting it after it was uninstalled")
		tenant.Succeed(ctx, v1alpha1.ActionUninstall, "site")
		Eventually(func() int {
			status, body = sendUpload(ctx, publisher, http.MethodDelete, "site-1.0.0.tgz", nil)
			return status
		}).WithContext(ctx).Should(Equal(http.StatusNoContent))
		Eventually(func() bool {
			err := publisher.Client.Get(ctx, client.ObjectKey{Namespace: publisher.Namespace, Name: "charts.site"}, &v1alpha1.AppInfo{})
			return apierrors.IsNotFound(err)
		}).WithContext(ctx).Should(BeTrue(), "the app is no longer offered")
	})

	It("is not accepted with the token of another service", func(ctx SpecContext) {
		t := newTenant(ctx)
		addUploadSource(ctx, t, v1alpha1.UploadSource{})
		for _, token := range []string{t.Token(ctx, "vault.example"), "not-a-token", t.Token(ctx)[:40]} {
			status, body := fixture.Ask(ctx, suite.URL+"/upload/"+t.Namespace+"/charts/", "Authorization", "Bearer "+token)
			Expect(status).To(Equal(http.StatusUnauthorized), string(body))
		}
		status, body := fixture.Ask(ctx, suite.URL+"/upload/"+t.Namespace+"/charts/", "Authorization", "Bearer "+t.Token(ctx, "appmarket.io"))
		Expect(status).To(Equal(http.StatusOK), string(body))
	})
})
