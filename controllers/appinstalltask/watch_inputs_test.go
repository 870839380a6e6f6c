package appinstalltask_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A task that waits for a missing Secret or ConfigMap", func() {
	var b *taskFixture
	const interval = 15 * time.Second
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
	})
	// createWaiting creates a task with values from objects that do not exist.
	createWaiting := func(account string) {
		GinkgoHelper()
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) {
			t.Spec.ServiceAccountName = account
			t.Spec.EnsureParameters().ValuesFrom = []v1alpha1.ValuesReference{
				{Kind: v1alpha1.ValuesFromSecret, Name: "passwords", Key: "values.yaml"},
				{Kind: v1alpha1.ValuesFromConfigMap, Name: "settings", Key: "values.yaml"},
			}
		})
	}
	object := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: b.namespace, Name: name} }
	values := map[string]string{"values.yaml": "color: red"}

	It("is woken when the object is created, and is not reconciled in the meantime", func() {
		createWaiting("tenant")
		Expect(b.expectWaiting(v1alpha1.ReasonWaitingForInput).RequeueAfter).To(BeNumerically("<=", interval))
		key := client.ObjectKeyFromObject(b.task)
		Eventually(func() bool { return b.reconciler.Inputs.IsWatching(key) }).WithTimeout(20 * time.Second).Should(BeTrue())
		Eventually(b.woken).Should(Receive(Equal(key)), "the object may have been created before the watch has started")
		Expect(b.expectWaiting(v1alpha1.ReasonWaitingForInput).RequeueAfter).To(BeNumerically(">", time.Minute))
		Eventually(b.woken).Should(Receive(), "by the watch of the other kind")
		Consistently(b.woken, "200ms").ShouldNot(Receive())

		server.Create(GinkgoTB(), &corev1.Secret{ObjectMeta: object("passwords"), StringData: values})
		Eventually(b.woken).WithTimeout(20 * time.Second).Should(Receive(Equal(key)))
		Expect(b.expectWaiting(v1alpha1.ReasonWaitingForInput).RequeueAfter).To(BeNumerically(">", time.Minute))
		server.Create(GinkgoTB(), &corev1.ConfigMap{ObjectMeta: object("settings"), Data: values})
		Eventually(b.woken).WithTimeout(20 * time.Second).Should(Receive(Equal(key)))
		b.expectStarted()
		Expect(b.reconciler.Inputs.IsWatching(key)).To(BeFalse())
	})

	It("reads the object again at an interval if its service account may not watch", func() {
		server.Allow(GinkgoTB(), b.namespace, "reader", rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"get"},
		})
		createWaiting("reader")
		for range 2 {
			Expect(b.expectWaiting(v1alpha1.ReasonWaitingForInput).RequeueAfter).To(Equal(interval))
			Consistently(b.woken, "500ms").ShouldNot(Receive())
		}
	})
})
