package collector_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/test/testenv"
)

// TestPullSecretsOfAnExistingAccount checks Pods whose service account exists in the cluster.
func TestPullSecretsOfAnExistingAccount(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	runner := &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: "runner"}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}},
	}
	server.Create(t, runner)
	request := func(account string) preflight.Request {
		w := newRequest(tenant, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}, "+
			"template: {metadata: {labels: {app: web}}, spec: {serviceAccountName: "+account+", containers: [{name: a, image: r.io/web:1}]}}}")
		w.PrivateImages = map[string]bool{"r.io/web:1": true}
		return w
	}
	check := func(account string) []string {
		return checkMessages(t.Context(), g, newCollector(t, server), request(account))
	}
	g.Expect(check("runner")).To(HaveExactElements(ContainSubstring(`Secret "pull" of service account "runner" not found`)))
	g.Expect(checkReasons(t.Context(), newCollector(t, server), request("runner"))).To(Equal([]string{v1alpha1.ReasonRegistryCredentialsRequired}))
	g.Expect(check("missing")).To(BeEmpty())
	g.Expect(check("default")).To(BeEmpty(), "it has no Secrets")

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: "pull"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths": {"r.io": {}}}`)}}
	server.Create(t, secret)
	g.Expect(check("runner")).To(BeEmpty())
}

// TestAccountThatTheTenantMayNotRead checks that accounts are read with the permissions of the tenant, and not of the operator.
func TestAccountThatTheTenantMayNotRead(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	server.Create(t, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: "runner"}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}},
	})
	tenant.ServiceAccount = "creator"
	name := metav1.ObjectMeta{Namespace: tenant.Namespace, Name: tenant.ServiceAccount}
	role := &rbacv1.Role{ObjectMeta: name, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods", "secrets"}, Verbs: []string{rbacv1.VerbAll}}}}
	server.Create(t, &corev1.ServiceAccount{ObjectMeta: name}, role, &rbacv1.RoleBinding{
		ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: name.Namespace, Name: name.Name}},
	})
	w := newRequest(tenant, "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {serviceAccountName: runner, containers: [{name: a, image: r.io/web:1}]}")
	w.PrivateImages = map[string]bool{"r.io/web:1": true}
	check := func() ([]string, error) { return checkReasons(t.Context(), newCollector(t, server), w) }
	g.Eventually(check).Should(BeEmpty(), "the tenant may create Pods")

	role.Rules[0].Resources = append(role.Rules[0].Resources, "serviceaccounts")
	g.Expect(server.Client.Update(t.Context(), role)).To(Succeed())
	g.Eventually(check).Should(Equal([]string{v1alpha1.ReasonRegistryCredentialsRequired}))
}
