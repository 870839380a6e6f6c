package collector_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/testenv"
)

// TestOperatorWithoutListPermissions runs an operator that may not list pods or nodes.
func TestOperatorWithoutListPermissions(t *testing.T) {
	for _, c := range []struct {
		why   string
		lists []string
		want  OmegaMatcher
	}{
		{"pods", []string{"nodes", "persistentvolumes"}, ConsistOf(ContainSubstring("CPU"))},
		{"nodes and pods", []string{"persistentvolumes"}, BeEmpty()},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			server := testenv.Start(t)
			tenant := createAdministrator(t, server)
			addNode(t, server, tenant.Namespace+"-node", resourceList("2", "8Gi"))
			operator := createOperator(t, server, tenant.Namespace+"-operator", c.lists...)
			g.Eventually(func() error {
				_, err := newCollector(t, server, operator).Check(t.Context(), newRequest(tenant, deploymentYAML("cpu: 1")))
				return err
			}).Should(Succeed(), "the permissions are effective")
			g.Expect(checkMessages(t.Context(), g, newCollector(t, server, operator), newRequest(tenant, deploymentYAML("cpu: 900")))).To(c.want)
		})
	}
}
