package collector_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/test/testenv"
)

// createRecord creates a Secret with the labels of a Helm release record.
func createRecord(t *testing.T, server *testenv.Env, namespace, name string) {
	t.Helper()
	server.Create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: "sh.helm.release.v1." + name + ".v1", Labels: map[string]string{"owner": "helm", "name": name, "version": "1", "status": "deployed"},
	}})
}

func TestReleaseWithoutRecords(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createOwner(t, server)
	w := newRequest(tenant, configMapYAML("page"))
	w.Units[0].Release = "web"
	c := newCollector(t, server)
	g.Expect(c.TakeUnrecorded(tenant, "web")).To(BeFalse(), "no check was made yet")
	g.Eventually(func() (any, error) { return c.Check(t.Context(), w) }).Should(BeEmpty())
	g.Expect(c.TakeUnrecorded(release.Tenant{Namespace: tenant.Namespace, ServiceAccount: "other"}, "web")).To(BeFalse(), "another tenant")
	g.Expect(c.TakeUnrecorded(tenant, "blog")).To(BeFalse(), "another release")
	g.Expect(c.TakeUnrecorded(tenant, "web")).To(BeTrue())
	g.Expect(c.TakeUnrecorded(tenant, "web")).To(BeFalse(), "the result is returned once")

	_, err := c.Check(t.Context(), w)
	g.Expect(err).NotTo(HaveOccurred())
	createRecord(t, server, tenant.Namespace, "web")
	_, err = c.Check(t.Context(), w)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.TakeUnrecorded(tenant, "web")).To(BeFalse(), "the release has a record now")
}

func TestRecordsThatCannotBeListed(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := release.Tenant{Namespace: server.Namespace(t, nil), ServiceAccount: "blind"}
	server.Allow(t, tenant.Namespace, tenant.ServiceAccount, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"*"}})
	w := newRequest(tenant, configMapYAML("page"))
	w.Units[0].Release = "web"
	c := newCollector(t, server)
	_, err := c.Check(t.Context(), w)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.TakeUnrecorded(tenant, "web")).To(BeFalse())
}
