//go:build e2e

package e2e_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

// tenants are the namespaces that newTenant created.
var tenants []string

func removalSteps() {
	It("removes the apps, the market and the chart completely", func(ctx SpecContext) {
		cluster.Kubectl(ctx, "delete", "appinstalltask,appinstance", "--all", "--all-namespaces", "--timeout", "80s")
		cluster.Kubectl(ctx, "delete", "marketsource", "--all", "--all-namespaces", "--timeout", "30s")
		Eventually(func() string {
			return cluster.Kubectl(ctx, "get", "appinfo", "--all-namespaces", "--output", "name")
		}).WithContext(ctx).Should(BeEmpty())
		auditedTo = time.Now()
		runHelm(ctx, "uninstall", "appmarket", "--namespace", system, "--wait", "--timeout", "60s")
		cluster.Kubectl(ctx, "delete", "--filename", fixture.Path("config/crd/bases"), "--timeout", "30s")
		cluster.Kubectl(ctx, append([]string{"delete", "--timeout", "60s", "namespace", system, "market", demo, "teamserver-shared"}, tenants...)...)
		expectNothingLeft(ctx)
	})
}

// expectNothingLeft checks that no object of the operator remains in the cluster.
func expectNothingLeft(ctx context.Context) {
	GinkgoHelper()
	Eventually(func() []string {
		var left []string
		for _, kinds := range []string{
			"customresourcedefinition,clusterrole,clusterrolebinding,namespace,validatingadmissionpolicy,validatingadmissionpolicybinding",
			"role,rolebinding,serviceaccount,persistentvolumeclaim,lease,deployment,pod",
		} {
			for _, name := range strings.Fields(cluster.Kubectl(ctx, "get", kinds, "--all-namespaces", "--output", "name")) {
				if strings.Contains(name, "appmarket") {
					left = append(left, name)
				}
			}
		}
		return left
	}).WithContext(ctx).Should(BeEmpty())
}
