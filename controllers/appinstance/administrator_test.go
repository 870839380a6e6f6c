package appinstance_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// withoutAdminister grants the permissions to install a ConfigMap.
var withoutAdminister = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps", "pods"}, Verbs: []string{"*"}}

// expectNotAdministrator expects the instance to wait for the permission to administer it.
func (b *instanceFixture) expectNotAdministrator() {
	GinkgoHelper()
	_, err := b.reconcileInstance()
	Expect(err).NotTo(HaveOccurred())
	Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True " + v1alpha1.ReasonPermissionDenied))
	Expect(b.instance.Status.Preflight).To(HaveLen(1))
	Expect(b.instance.Status.Preflight[0]).To(And(
		HaveField("Message", ContainSubstring(`lacks the verb "administer"`)), HaveField("Remedy", ContainSubstring("administer"))))
	Expect(b.instance.Status.Releases).To(BeEmpty())
}

// setSummary sets the summary of the app.
func (b *instanceFixture) setSummary(summary *v1alpha1.AppSummary) {
	GinkgoHelper()
	before := client.MergeFrom(b.App.DeepCopy())
	b.App.Status.Summary = summary
	Expect(server.Client.Status().Patch(b.ctx, b.App, before)).To(Succeed())
}

var _ = Describe("An instance of an app that serves or changes more than one tenant", func() {
	var b *instanceFixture
	It("waits for the permission to administer it", func() {
		b = newInstanceFixtureWithRules(withoutAdminister)
		b.PublishVersion("1.0.0", configMapFiles())
		b.setSummary(&v1alpha1.AppSummary{AdminOnly: true})
		b.createInstance()
		b.expectNotAdministrator()
		name := metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "administer"}
		server.Create(GinkgoTB(),
			&rbacv1.Role{ObjectMeta: name, Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstances"}, ResourceNames: []string{"mine"}, Verbs: []string{"administer"}},
			}},
			&rbacv1.RoleBinding{
				ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name},
				Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: b.instance.Namespace, Name: "tenant"}},
			})
		Eventually(func() string {
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			return b.conditionStatus(v1alpha1.ConditionResolved)
		}).Should(HavePrefix("True"))
	})

	It("waits for the instance in another namespace", func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.setSummary(&v1alpha1.AppSummary{ClusterSingleton: true})
		other := &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace(GinkgoTB(), nil), Name: "other"},
			Spec:       v1alpha1.AppInstanceSpec{AppRef: b.AppReference()},
		}
		server.Create(GinkgoTB(), other)
		before := client.MergeFrom(other.DeepCopy())
		other.Status.Revision, other.Status.Releases = 1, []v1alpha1.Release{{Name: "other"}}
		Expect(server.Client.Status().Patch(b.ctx, other, before)).To(Succeed())
		b.createInstance()
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False " + v1alpha1.ReasonSingleInstance))
		Expect(b.conditionMessage(v1alpha1.ConditionResolved)).To(And(ContainSubstring("another namespace"), Not(ContainSubstring(other.Namespace))))
		Expect(server.Client.Delete(b.ctx, other)).To(Succeed())
		b.expectReady("1.0.0", 1)
	})
})
