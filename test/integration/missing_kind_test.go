package integration_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// gaugeKind is a kind that belongs to one spec.
type gaugeKind struct {
	*fixture.Tenant
	group string
}

// newGauges creates the CRD of a kind and allows the tenant to use it.
func newGauges(ctx context.Context, t *fixture.Tenant) gaugeKind {
	GinkgoHelper()
	g := gaugeKind{t, t.Namespace + ".example.com"}
	g.serveVersions(ctx, "v1", "v1beta1")
	t.Grant(ctx, rbacv1.PolicyRule{APIGroups: []string{g.group}, Resources: []string{"gauges"}, Verbs: []string{"*"}})
	DeferCleanup(func(ctx SpecContext) {
		t.Kubectl(ctx, "delete", "crd", "gauges."+g.group, "--ignore-not-found", "--wait=false")
	})
	return g
}

// crdManifest returns the CRD of the kind that serves the given versions.
func (g gaugeKind) crdManifest(versions ...string) string {
	text := `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gauges.` + g.group + `}
spec:
  group: ` + g.group + `
  scope: Namespaced
  names: {kind: Gauge, plural: gauges}
  versions:
`
	for _, version := range []string{"v1", "v1beta1"} {
		served, storage := "false", "false"
		if strings.Contains(strings.Join(versions, " ")+" ", version+" ") {
			served = "true"
		}
		if version == "v1" {
			storage = "true"
		}
		text += "  - {name: " + version + ", served: " + served + ", storage: " + storage +
			", schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n"
	}
	return text
}

// serveVersions creates or changes the CRD so that these versions are served.
func (g gaugeKind) serveVersions(ctx context.Context, versions ...string) {
	GinkgoHelper()
	g.Apply(ctx, g.crdManifest(versions...))
	g.WaitEstablished(ctx, "gauges."+g.group)
	for _, version := range versions {
		Eventually(func() error {
			_, err := g.TryKubectl(ctx, nil, "get", "gauges."+version+"."+g.group, "--namespace", g.Namespace)
			return err
		}).WithContext(ctx).Should(Succeed())
	}
}

// deleteCRD deletes the CRD, and with it every object of the kind.
func (g gaugeKind) deleteCRD(ctx context.Context) { g.Kubectl(ctx, "delete", "crd", "gauges."+g.group) }

// newChart returns a chart with a ConfigMap and, if a version is given, a gauge.
func (g gaugeKind) newChart(version, gauge string) fixture.Chart {
	template := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Release.Name }}\"}\ndata: {chart: {{ .Chart.Version }}}\n"
	if gauge != "" {
		template += "---\napiVersion: " + g.group + "/" + gauge + "\nkind: Gauge\nmetadata: {name: \"{{ .Release.Name }}\"}\n"
	}
	return fixture.Chart{Name: "dash", Version: version, Files: fixture.Files{"templates/all.yaml": template}}
}

// chartVersion returns the chart version that the instance's ConfigMap contains.
func (g gaugeKind) chartVersion(ctx context.Context, name string) string {
	GinkgoHelper()
	settings := &corev1.ConfigMap{}
	g.Get(ctx, settings, name)
	return settings.Data["chart"]
}

// withRevision sets the revision of a task.
func withRevision(revision int32) fixture.Change {
	return func(s *v1alpha1.AppInstallTaskSpec) { s.Rollback = &v1alpha1.RollbackParameters{Revision: revision} }
}

var _ = Describe("A kind whose CRD was deleted", func() {
	It("is reported, and does not block operations that do not need it", func(ctx SpecContext) {
		g := newGauges(ctx, newTenant(ctx))
		g.Offer(ctx, g.newChart("1.0.0", "v1"), g.newChart("1.1.0", ""))
		for _, name := range []string{"first", "second", "third"} {
			g.Succeed(ctx, v1alpha1.ActionInstall, "dash", fixture.Version("1.0.0"), fixture.As(name))
		}
		g.deleteCRD(ctx)
		g.WaitStalled(ctx, g.Instance(ctx, "first"), v1alpha1.ReasonUnhealthy)
		Eventually(func() string {
			return g.WaitCondition(ctx, g.Instance(ctx, "first"), v1alpha1.ConditionReady, "False", v1alpha1.ReasonUnhealthy)
		}).WithContext(ctx).Should(HavePrefix("version 1.0.0, 1 of 2 objects ready: Gauge/first is gone: no matches for kind \"Gauge\" in version \"" +
			g.group + "/v1\"; use a version of the app without the kind, or install the operator that provides the CRD "))

		By("stopping, removing and upgrading")
		g.Succeed(ctx, v1alpha1.ActionStop, "dash", fixture.As("second"))
		g.Succeed(ctx, v1alpha1.ActionUninstall, "dash", fixture.As("second"))
		g.Succeed(ctx, v1alpha1.ActionUninstall, "dash", fixture.As("third"))
		g.Succeed(ctx, v1alpha1.ActionUpgrade, "dash", fixture.Version("1.1.0"), fixture.As("first"))
		Expect(g.chartVersion(ctx, "first")).To(Equal("1.1.0"))

		By("rolling back to a revision that needs the kind")
		message := g.Fail(ctx, v1alpha1.ReasonNoKindMatch, v1alpha1.ActionRollback, "dash", fixture.As("first"), withRevision(1))
		Expect(message).To(ContainSubstring(`no matches for kind "Gauge" in version "` + g.group + `/v1"`))
		Expect(g.chartVersion(ctx, "first")).To(Equal("1.1.0"), "the release is not changed")
		g.serveVersions(ctx, "v1", "v1beta1")
		g.Succeed(ctx, v1alpha1.ActionRollback, "dash", fixture.As("first"), withRevision(1))
		Expect(g.chartVersion(ctx, "first")).To(Equal("1.0.0"))
		Expect(g.Names(ctx, "gauges."+g.group)).To(Equal([]string{"first"}))
	})

	It("is found in its other versions, so that no object remains", func(ctx SpecContext) {
		g := newGauges(ctx, newTenant(ctx))
		g.Offer(ctx, g.newChart("1.0.0", "v1beta1"), g.newChart("1.1.0", "v1"), g.newChart("1.2.0", ""))
		for _, name := range []string{"moved", "dropped", "removed"} {
			g.Succeed(ctx, v1alpha1.ActionInstall, "dash", fixture.Version("1.0.0"), fixture.As(name))
		}
		g.serveVersions(ctx, "v1")
		Eventually(func() error {
			_, err := g.TryKubectl(ctx, nil, "get", "gauges.v1beta1."+g.group, "--namespace", g.Namespace)
			return err
		}).WithContext(ctx).Should(HaveOccurred())
		g.Succeed(ctx, v1alpha1.ActionUpgrade, "dash", fixture.Version("1.1.0"), fixture.As("moved"))
		Expect(g.Names(ctx, "gauges."+g.group)).To(ConsistOf("moved", "dropped", "removed"))
		g.Succeed(ctx, v1alpha1.ActionUpgrade, "dash", fixture.Version("1.2.0"), fixture.As("dropped"))
		Expect(g.Names(ctx, "gauges."+g.group)).To(ConsistOf("moved", "removed"))
		g.Succeed(ctx, v1alpha1.ActionUninstall, "dash", fixture.As("removed"))
		Expect(g.Names(ctx, "gauges."+g.group)).To(ConsistOf("moved"))
	})
})

var _ = Describe("A chart with existing CRDs", func() {
	DescribeTable("is installed, upgraded and removed by a tenant that cannot create CRDs",
		func(ctx SpecContext, chartVersions ...string) {
			g := newGauges(ctx, newTenant(ctx))
			crds := fixture.Files{"crds/gauges.yaml": g.crdManifest(chartVersions...)}
			g.Offer(ctx, g.newChart("1.0.0", "v1").With("1.0.0", crds), g.newChart("1.1.0", "v1").With("1.1.0", crds))
			before := g.Kubectl(ctx, "get", "crd", "gauges."+g.group, "-o", "jsonpath={.metadata.uid} {.metadata.generation}")
			for _, name := range []string{"first", "second"} {
				g.Succeed(ctx, v1alpha1.ActionInstall, "dash", fixture.Version("1.0.0"), fixture.As(name))
			}
			g.Succeed(ctx, v1alpha1.ActionUpgrade, "dash", fixture.Version("1.1.0"), fixture.As("first"))
			g.Succeed(ctx, v1alpha1.ActionRollback, "dash", fixture.As("first"))
			g.Succeed(ctx, v1alpha1.ActionUninstall, "dash", fixture.As("second"))
			Expect(g.Names(ctx, "gauges."+g.group)).To(Equal([]string{"first"}))
			Expect(g.Kubectl(ctx, "get", "crd", "gauges."+g.group, "-o", "jsonpath={.metadata.uid} {.metadata.generation}")).To(Equal(before))
		},
		Entry("that are equal", "v1", "v1beta1"),
		Entry("that serve other versions", "v1"),
	)
})
