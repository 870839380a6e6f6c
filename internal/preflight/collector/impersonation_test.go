package collector_test

import (
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/test/testenv"
)

// TestDeniedImpersonation runs an operator that may impersonate service accounts of one namespace
// only.
func TestDeniedImpersonation(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant, stranger := createAdministrator(t, server), createAdministrator(t, server)
	server.Allow(t, tenant.Namespace, "operator", rbacv1.PolicyRule{
		Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"serviceaccounts"},
	})
	c := newCollector(t, server, func(config *rest.Config) {
		config.Impersonate.UserName = "system:serviceaccount:" + tenant.Namespace + ":operator"
	})
	check := func(of release.Tenant) (reasons, messages []string) {
		w := newRequest(of)
		w.RightsOnly = true // The operator of this test may not list objects.
		problems, err := c.Check(t.Context(), w)
		g.Expect(err).NotTo(HaveOccurred())
		for _, each := range problems {
			reasons, messages = append(reasons, each.Reason), append(messages, each.Message)
			g.Expect(each.Final).To(BeFalse(), "an administrator may grant it later")
		}
		return reasons, messages
	}
	reasons, _ := check(tenant)
	g.Expect(reasons).To(BeEmpty())
	for range 2 {
		reasons, messages := check(stranger)
		g.Expect(reasons).To(Equal([]string{v1alpha1.ReasonPermissionDenied}))
		g.Expect(messages[0]).To(And(ContainSubstring(`cannot impersonate service account "`+stranger.ServiceAccount+`"`),
			ContainSubstring(`namespace "`+stranger.Namespace+`"`), ContainSubstring("value tenants")))
	}
}
