package collector_test

import (
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

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
			name := metav1.ObjectMeta{Name: tenant.Namespace + "-operator"}
			server.Create(t, &rbacv1.ClusterRole{ObjectMeta: name, Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{""}, Resources: c.lists, Verbs: []string{"list"}},
				{APIGroups: []string{""}, Resources: []string{"namespaces", "serviceaccounts"}, Verbs: []string{"get"}},
				{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"impersonate"}},
				{APIGroups: []string{"storage.k8s.io"}, Resources: []string{"storageclasses"}, Verbs: []string{"list"}},
			}}, &rbacv1.ClusterRoleBinding{
				ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name.Name},
				Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name.Name}},
			})
			addNode(t, server, tenant.Namespace+"-node", resourceList("2", "8Gi"))
			operator := func(config *rest.Config) { config.Impersonate.UserName = name.Name }
			g.Eventually(func() error {
				_, err := newCollector(t, server, operator).Check(t.Context(), newRequest(tenant, deploymentYAML("cpu: 1")))
				return err
			}).Should(Succeed(), "the permissions are effective")
			g.Expect(checkMessages(t.Context(), g, newCollector(t, server, operator), newRequest(tenant, deploymentYAML("cpu: 900")))).To(c.want)
		})
	}
}
