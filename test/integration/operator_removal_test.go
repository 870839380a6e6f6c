package integration_test

import (
	"context"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// installedCluster is a separate cluster with an operator and an installed app, from which AppMarket is
// removed.
type installedCluster struct {
	*fixture.Tenant
	operator *fixture.Operator
}

// waitDeleted waits until no object of the kinds exists, and fails if the deletion is blocked.
func (r *installedCluster) waitDeleted(ctx context.Context, kinds ...string) {
	GinkgoHelper()
	for _, kind := range kinds {
		Eventually(func() string {
			out, _ := r.TryKubectl(ctx, nil, "get", kind, "--all-namespaces", "--ignore-not-found", "-o", "name")
			return out
		}).WithContext(ctx).WithTimeout(30 * time.Second).Should(Or(BeEmpty(), ContainSubstring("doesn't have a resource type")))
	}
}

// expectAppRuns checks that the Deployment of the app exists with one ready Pod, and its Helm release.
func (r *installedCluster) expectAppRuns(ctx context.Context) {
	GinkgoHelper()
	Expect(r.Kubectl(ctx, "get", "deployment", "site", "-n", r.Namespace, "-o", "jsonpath={.metadata.deletionTimestamp}{.status.readyReplicas}")).To(Equal("1"))
	out, err := runHelm(ctx, r.Tenant, "status", "site")
	Expect(err).NotTo(HaveOccurred(), out)
	Expect(out).To(ContainSubstring("STATUS: deployed"))
}

// appmarketKinds are the plural names of the kinds of AppMarket.
var appmarketKinds = []string{"appinstalltasks", "appinstances", "appinfos", "marketsources"}

var _ = Describe("The removal of AppMarket", Ordered, func() {
	var r *installedCluster
	BeforeAll(func(ctx SpecContext) {
		dir := GinkgoT().TempDir()
		own := fixture.StartCluster(ctx, filepath.Join(dir, "cluster"))
		r = &installedCluster{operator: fixture.NewOperator(suite.Program, own, dir)}
		r.operator.Start()
		r.Tenant = fixture.NewTenant(ctx, own)
	})
	BeforeEach(func(ctx SpecContext) {
		r.Kubectl(ctx, "apply", "--server-side", "-f", fixture.Path("config/crd/bases"))
		r.operator.Restart()
		r.Offer(ctx, siteChart("1.0.0"))
		// An earlier spec may have left the app, which is then adopted.
		_, err := r.TryKubectl(ctx, nil, "get", "deployment", "site", "-n", r.Namespace)
		action := v1alpha1.ActionInstall
		if err == nil {
			action = v1alpha1.ActionAdopt
		}
		r.Succeed(ctx, action, "site")
		r.expectAppRuns(ctx)
	})

	It("in the documented order with kept apps leaves only the apps", func(ctx SpecContext) {
		r.Kubectl(ctx, "annotate", "appinstances", "--all", "--all-namespaces", v1alpha1.KeepReleasesAnnotation+"=true")
		r.Kubectl(ctx, "delete", "appinstalltasks,appinstances,marketsources", "--all", "--all-namespaces", "--timeout=30s")
		r.waitDeleted(ctx, appmarketKinds...)
		r.operator.Stop()
		r.Kubectl(ctx, "delete", "-f", fixture.Path("config/crd/bases"), "--timeout=30s")
		r.expectAppRuns(ctx)
	})

	It("by deleting the CRDs while the operator runs keeps the apps", func(ctx SpecContext) {
		r.Kubectl(ctx, "delete", "-f", fixture.Path("config/crd/bases"), "--timeout=60s")
		r.expectAppRuns(ctx)
	})

	It("by stopping the operator before the CRDs are deleted waits for an operator, and keeps the apps", func(ctx SpecContext) {
		r.operator.Stop()
		out, err := r.TryKubectl(ctx, nil, "delete", "-f", fixture.Path("config/crd/bases"), "--timeout=3s")
		Expect(err).To(HaveOccurred(), out)
		r.Kubectl(ctx, "apply", "--server-side", "-f", fixture.Path("config/crd/bases"))
		r.operator.Start()
		r.waitDeleted(ctx, "appinstances", "appinfos")
		r.Kubectl(ctx, "delete", "-f", fixture.Path("config/crd/bases"), "--ignore-not-found", "--timeout=60s")
		r.expectAppRuns(ctx)
	})

	It("in the documented order with removed apps leaves no objects", func(ctx SpecContext) {
		r.Kubectl(ctx, "delete", "appinstalltasks,appinstances", "--all", "--all-namespaces", "--timeout=60s")
		Eventually(func() []string { return r.Leftovers(ctx) }).WithContext(ctx).Should(BeEmpty())
		r.Kubectl(ctx, "delete", "marketsources", "--all", "--all-namespaces", "--timeout=30s")
		r.waitDeleted(ctx, appmarketKinds...)
	})

	It("by deleting the namespace of a tenant without an operator waits for an operator", func(ctx SpecContext) {
		r.operator.Stop()
		out, err := r.TryKubectl(ctx, nil, "delete", "namespace", r.Namespace, "--timeout=5s")
		Expect(err).To(HaveOccurred(), out)
		r.operator.Start()
		r.Kubectl(ctx, "wait", "--for=delete", "namespace/"+r.Namespace, "--timeout=60s")
	})
})
