package integration_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A source that is not shared with all", func() {
	parcelChart := fixture.Chart{Name: "parcel", Version: "1.0.0", Files: fixture.Files{
		"README.md":        "# Parcel of one team\n",
		"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n",
	}}
	// protectedURLs returns the URLs whose content depends on the source.
	protectedURLs := func(ctx context.Context, t *fixture.Tenant) map[string][]string {
		version := t.App(ctx, "parcel").Status.Versions[0]
		return map[string][]string{
			version.URL:                                          nil,
			version.ReportURL + "/objects.yaml":                  nil,
			suite.URL + "/static-index.yaml":                     {"X-Market-Source", t.Namespace + "/charts"},
			suite.URL + "/charts/parcel-1.0.0.tgz":               {"X-Market-Source", t.Namespace + "/charts"},
			suite.URL + "/" + t.Namespace + "/charts/index.yaml": nil,
		}
	}

	DescribeTable("is a Helm repository for clients that can get the source", func(ctx SpecContext, variable string, audiences ...string) {
		helm := fixture.NewHelm(cluster, variable)
		t := newTenant(ctx)
		t.Offer(ctx, parcelChart)
		t.Grant(ctx, fixture.ReadSources)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		url := t.Source.Status.RepositoryURL

		output, err := helm.TryRun(ctx, "repo", "add", "team", url)
		Expect(err).To(HaveOccurred(), output)
		Expect(output).To(ContainSubstring("401 Unauthorized"))

		output, err = helm.TryRun(ctx, "repo", "add", "team", url, "--username", "x", "--password", t.Token(ctx, audiences...))
		Expect(err).NotTo(HaveOccurred(), output)
		folder := GinkgoT().TempDir()
		output, err = helm.TryRun(ctx, "pull", "team/parcel", "--destination", folder)
		Expect(err).NotTo(HaveOccurred(), output)
		Expect(filepath.Join(folder, "parcel-1.0.0.tgz")).To(BeARegularFile())
		output, err = helm.TryRun(ctx, "install", "by-helm", "team/parcel", "--namespace", t.Namespace)
		Expect(err).NotTo(HaveOccurred(), output)
	},
		Entry("with Helm 3", "HELM3"),
		Entry("with Helm 4", "HELM4"),
		Entry("with a token for the repository only", "HELM3", "appmarket.io"),
	)

	It("is not accessible to other clients", func(ctx SpecContext) {
		t, other := newTenant(ctx), fixture.NewTenant(ctx, cluster)
		t.Offer(ctx, parcelChart)
		t.Grant(ctx, fixture.ReadSources)
		other.Grant(ctx, fixture.ReadSources)
		own, foreign := t.Token(ctx), other.Token(ctx)
		for url, headers := range protectedURLs(ctx, t) {
			status, body := fixture.Ask(ctx, url, append(headers, "Authorization", "Bearer "+own)...)
			Expect(status).To(Equal(http.StatusOK), "%s: %s", url, body)
			status, _ = fixture.Ask(ctx, url, headers...)
			Expect(status).To(Equal(http.StatusUnauthorized), "without a token: %s", url)
			status, _ = fixture.Ask(ctx, url, append(headers, "Authorization", "Bearer "+own[:len(own)-6]+"AAAAAA")...)
			Expect(status).To(Equal(http.StatusUnauthorized), "with a changed token: %s", url)
			status, _ = fixture.Ask(ctx, url, append(headers, "Authorization", "Bearer "+foreign)...)
			Expect(status).To(Equal(http.StatusForbidden), "with the token of another namespace: %s", url)
			absent := strings.NewReplacer(t.Namespace, "no-such-namespace").Replace(url)
			status, _ = fixture.Ask(ctx, absent, append(headers, "Authorization", "Bearer "+foreign)...)
			Expect(status).To(Equal(http.StatusForbidden), "a namespace that does not exist: %s", absent)
		}
		_, index := fixture.Ask(ctx, suite.URL+"/index.yaml")
		Expect(string(index)).NotTo(ContainSubstring(t.Namespace))
		status, _ := fixture.Ask(ctx, suite.URL+"/charts/parcel-1.0.0.tgz")
		Expect(status).To(Equal(http.StatusNotFound))
	})

	It("is accessible to tasks without a token", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, parcelChart)
		t.Succeed(ctx, v1alpha1.ActionInstall, "parcel")
		Expect(t.Names(ctx, "configmaps")).To(ContainElement("parcel"))
	})

	It("is not accessible some seconds after the permission is removed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, parcelChart)
		t.Grant(ctx, fixture.ReadSources)
		token := t.Token(ctx)
		url := t.App(ctx, "parcel").Status.Versions[0].URL
		requestStatus := func() int {
			status, _ := fixture.Ask(ctx, url, "Authorization", "Bearer "+token)
			return status
		}
		Expect(requestStatus()).To(Equal(http.StatusOK))
		Expect(t.Client.DeleteAllOf(ctx, &rbacv1.RoleBinding{}, client.InNamespace(t.Namespace))).To(Succeed())
		Eventually(requestStatus).WithContext(ctx).WithTimeout(timeout / 3).Should(Equal(http.StatusForbidden))
	})

	It("is public while spec.allowedNamespaces includes all namespaces", func(ctx SpecContext) {
		t := newMarketTenant(ctx)
		t.Offer(ctx, parcelChart)
		url := t.App(ctx, "parcel").Status.Versions[0].URL
		setSharing := func(from *v1alpha1.AllowedNamespaces) {
			GinkgoHelper()
			before := client.MergeFrom(t.Source.DeepCopy())
			t.Source.Spec.AllowedNamespaces = from
			Expect(t.Client.Patch(ctx, t.Source, before)).To(Succeed())
		}
		requestStatus := func() int {
			status, _ := fixture.Ask(ctx, url)
			return status
		}
		Expect(requestStatus()).To(Equal(http.StatusUnauthorized))
		setSharing(&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll})
		Eventually(requestStatus).WithContext(ctx).Should(Equal(http.StatusOK))
		setSharing(nil)
		Eventually(requestStatus).WithContext(ctx).Should(Equal(http.StatusUnauthorized))
	})
})
