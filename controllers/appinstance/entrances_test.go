package appinstance_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/addresses"
)

// entranceManifest returns an app manifest with entrances in the flow style of YAML.
func entranceManifest(version, entrances string) string {
	return "olaresManifest.version: 0.12.0\nolaresManifest.type: app\nmetadata: {name: web, title: Web, version: " + version + "}\nentrances: " + entrances + "\n"
}

// entranceFiles returns a chart with two Services, an app manifest and an additional template.
func entranceFiles(version, entrances, more string) map[string]string {
	files := map[string]string{
		"templates/services.yaml": `apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {type: "{{ .Values.type | default "ClusterIP" }}", ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}-admin"}
spec: {ports: [{name: web, port: 9000}]}
`,
		"templates/more.yaml": more,
	}
	if entrances != "" {
		files["OlaresManifest.yaml"] = entranceManifest(version, entrances)
	}
	return files
}

var _ = Describe("The entrances of an instance", func() {
	var b *instanceFixture
	BeforeEach(func() { b = newInstanceFixture() })

	// usePolicy makes the reconciler add Ingresses.
	usePolicy := func() {
		GinkgoHelper()
		policy := &addresses.Policy{Type: addresses.TypeIngress, Scheme: addresses.SchemeHTTPS}
		Expect(policy.Check("{entrance}.{instance}.{namespace}.example.com")).To(Succeed())
		b.reconciler.Addresses, b.reconciler.Planner.Addresses = policy, policy
	}
	urls := func() map[string]string {
		found := map[string]string{}
		for _, entrance := range b.instance.Status.Entrances {
			found[entrance.Name] = entrance.URL
		}
		return found
	}
	ingressNames := func() []string {
		GinkgoHelper()
		var list networkingv1.IngressList
		Expect(server.Client.List(b.ctx, &list, client.InNamespace(b.instance.Namespace))).To(Succeed())
		var names []string
		for _, ingress := range list.Items {
			names = append(names, ingress.Name)
		}
		return names
	}
	host := func(entrance string) string {
		return "https://" + entrance + ".mine." + b.instance.Namespace + ".example.com/"
	}
	desire := func(state v1alpha1.DesiredState) {
		GinkgoHelper()
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = state })
	}

	It("get addresses by the policy in every operation", func() {
		usePolicy()
		b.PublishVersion("1.0.0", entranceFiles("1.0.0", "[{name: front, host: web, port: 80}, {name: admin, host: admin, port: 9000, invisible: true}]", ""))
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "1.0.0" })
		b.expectReady("1.0.0", 1)
		Expect(urls()).To(Equal(map[string]string{"front": host("front"), "admin": ""}))
		Expect(ingressNames()).To(Equal([]string{"mine.front"}))
		Expect(b.instance.Status.Inventory.Objects).To(ContainElement(
			v1alpha1.ObjectReference{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Namespace: b.instance.Namespace, Name: "mine.front"}))

		By("upgrading to a version in which both are visible")
		b.PublishVersion("2.0.0", entranceFiles("2.0.0", "[{name: front, host: web, port: 80}, {name: admin, host: admin, port: 9000}]", ""))
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = "2.0.0" })
		b.expectReady("2.0.0", 2)
		Expect(urls()).To(Equal(map[string]string{"front": host("front"), "admin": host("admin")}))
		Expect(ingressNames()).To(ConsistOf("mine.front", "mine.admin"))

		By("stopping and resuming")
		desire(v1alpha1.StateStopped)
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(urls()).To(HaveKeyWithValue("admin", host("admin")))
		desire(v1alpha1.StateRunning)
		b.expectReady("2.0.0", 2)
		Expect(urls()).To(HaveKeyWithValue("admin", host("admin")))

		By("rolling back")
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.PinnedRevision = 1 })
		b.expectReady("1.0.0", 3)
		Expect(urls()).To(Equal(map[string]string{"front": host("front"), "admin": ""}))
		Expect(ingressNames()).To(Equal([]string{"mine.front"}))

		By("uninstalling")
		desire(v1alpha1.StateUninstalled)
		Eventually(func() []v1alpha1.Entrance {
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			return b.instance.Status.Entrances
		}).WithTimeout(20 * time.Second).Should(BeEmpty())
		Expect(ingressNames()).To(BeEmpty())
	})

	It("show the change of an Ingress by others, and its restoration", func() {
		usePolicy()
		b.PublishVersion("1.0.0", entranceFiles("1.0.0", "[{name: front, host: web, port: 80}]", ""))
		b.createInstance()
		b.expectReady("1.0.0", 1)
		ingress := &networkingv1.Ingress{}
		Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: "mine.front"}, ingress)).To(Succeed())
		ingress.Spec.Rules[0].Host, ingress.Spec.TLS = "other.example.com", nil
		Expect(server.Client.Update(b.ctx, ingress)).To(Succeed())
		Eventually(func() map[string]string {
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			return urls()
		}).WithTimeout(20 * time.Second).Should(Equal(map[string]string{"front": "http://other.example.com/"}))
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DriftPolicy = v1alpha1.DriftCorrect })
		Eventually(func() map[string]string {
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			return urls()
		}).WithTimeout(20 * time.Second).Should(Equal(map[string]string{"front": host("front")}))
	})

	It("need the permissions of the tenant", func() {
		b = newInstanceFixtureWithRules(
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services", "secrets", "configmaps", "pods"}, Verbs: []string{"*"}},
		)
		usePolicy()
		b.PublishVersion("1.0.0", entranceFiles("1.0.0", "[{name: front, host: web, port: 80}]", ""))
		b.createInstance()
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False PermissionDenied"))
		Expect(b.conditionMessage(v1alpha1.ConditionResolved)).To(ContainSubstring("ingresses"))
		Expect(b.releaseRevision("mine")).To(BeZero())
	})

	It("are recognized for a plain chart, and get the address of a load balancer when there is one", func() {
		b.PublishVersion("1.0.0", entranceFiles("1.0.0", "", ""))
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) {
			spec.Values = &runtime.RawExtension{Raw: []byte(`{"type": "LoadBalancer"}`)}
			spec.Entrances = []v1alpha1.EntranceTitle{{Name: "mine", Title: "Pages"}}
		})
		b.expectReady("1.0.0", 1)
		want := []v1alpha1.Entrance{
			{Name: "mine", Kind: "Service", Title: "Pages", Host: "mine", Port: 80},
			{Name: "mine-admin", Kind: "Service", Host: "mine-admin", Port: 9000},
		}
		Expect(b.instance.Status.Entrances).To(Equal(want))
		outputs := b.instance.Status.Outputs
		service := &corev1.Service{}
		Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: "mine"}, service)).To(Succeed())
		service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.7"}}
		Expect(server.Client.Status().Update(b.ctx, service)).To(Succeed())
		want[0].URL = "http://192.0.2.7/"
		Eventually(func() []v1alpha1.Entrance {
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			return b.instance.Status.Entrances
		}).WithTimeout(20 * time.Second).Should(Equal(want))
		b.expectNoWrites()
		b.editInstance(func(i *v1alpha1.AppInstance) {
			i.Spec.Values = &runtime.RawExtension{Raw: []byte(`{"type": "LoadBalancer", "more": true}`)}
		})
		b.expectReady("1.0.0", 2)
		Expect(b.instance.Status.Entrances).To(Equal(want), "an operation keeps them")
		Expect(b.instance.Status.Outputs).To(Equal(outputs), "the outputs do not depend on what was observed")
	})

	It("of an adopted release have the addresses that exist", func() {
		usePolicy()
		b.PublishVersion("1.0.0", entranceFiles("1.0.0", "[{name: front, host: web, port: 80}]", ""))
		b.reconciler.Planner.Addresses = nil
		b.createInstance()
		b.expectReady("1.0.0", 1)
		b.editInstance(func(i *v1alpha1.AppInstance) {
			i.Annotations = map[string]string{v1alpha1.KeepReleasesAnnotation: "true"}
		})
		Expect(server.Client.Delete(b.ctx, b.instance)).To(Succeed())
		b.readInstance()
		_, err := b.reconciler.Reconcile(b.ctx, b.instance)
		Expect(err).NotTo(HaveOccurred())
		Expect(apierrors.IsNotFound(server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.instance), b.instance))).To(BeTrue())

		usePolicy()
		b.instance = &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine"},
			Spec:       v1alpha1.AppInstanceSpec{AppRef: b.AppReference(), ServiceAccountName: "tenant", AdoptionPolicy: v1alpha1.AdoptionAdopt},
		}
		b.createInstance()
		b.expectReady("1.0.0", 1)
		Expect(urls()).To(Equal(map[string]string{"front": ""}), "adopting changes no object")
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = &runtime.RawExtension{Raw: []byte(`{"more": true}`)} })
		b.expectReady("1.0.0", 2)
		Expect(urls()).To(Equal(map[string]string{"front": host("front")}))
	})
})
