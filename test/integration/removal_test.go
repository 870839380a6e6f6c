package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// claimSpec is the last line of the YAML of a volume claim.
const claimSpec = "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n"

// retainedNames returns the kinds and names of the retained objects of an instance.
func retainedNames(instance *v1alpha1.AppInstance) []string {
	var names []string
	for _, ref := range instance.Status.RetainedObjects {
		names = append(names, ref.Kind+"/"+ref.Name)
	}
	return names
}

var _ = Describe("The removal of an app", func() {
	It("keeps and lists the volumes that a custom resource owns", func(ctx SpecContext) {
		t := newTenant(ctx)
		group := t.Namespace + ".example.com"
		t.Apply(ctx, `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: databases.`+group+`}
spec:
  group: `+group+`
  scope: Namespaced
  names: {kind: Database, plural: databases}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`)
		DeferCleanup(func(ctx SpecContext) { t.Kubectl(ctx, "delete", "crd", "databases."+group, "--wait=false") })
		// kubectl wait --for=condition fails while the CRD has no conditions at all.
		t.Kubectl(ctx, "wait", "--for=jsonpath={.status.conditions}", "crd/databases."+group)
		t.WaitEstablished(ctx, "databases."+group)
		t.Grant(ctx, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{"*"}, Verbs: []string{"*"}})
		t.Offer(ctx, fixture.Chart{Name: "shop", Version: "1.0.0", Files: fixture.Files{
			"values.yaml":             "database: first\n",
			"templates/database.yaml": "apiVersion: " + group + "/v1\nkind: Database\nmetadata: {name: \"{{ .Values.database }}\"}\n",
		}})
		t.Succeed(ctx, v1alpha1.ActionInstall, "shop")
		createOwnedClaim := func(name string) {
			GinkgoHelper()
			database := &unstructured.Unstructured{}
			database.SetAPIVersion(group + "/v1")
			database.SetKind("Database")
			t.Get(ctx, database, name)
			t.Apply(ctx, "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data-"+name+", ownerReferences: [{apiVersion: "+group+
				"/v1, kind: Database, name: "+name+", uid: "+string(database.GetUID())+"}]}\n"+claimSpec)
		}
		expectKept := func(name string) {
			GinkgoHelper()
			Consistently(func(g Gomega) {
				claim := &corev1.PersistentVolumeClaim{}
				g.Expect(t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: name}, claim)).To(Succeed())
				g.Expect(claim.DeletionTimestamp).To(BeNil())
				g.Expect(claim.OwnerReferences).To(BeEmpty())
			}, "1s").WithContext(ctx).Should(Succeed())
		}
		createOwnedClaim("first")

		By("removing the custom resource in an upgrade")
		t.Kubectl(ctx, "patch", "appinstance", "shop", "--namespace", t.Namespace, "--type=merge", "--patch", `{"spec":{"values":{"database":"second"}}}`)
		t.WaitTrue(ctx, t.Instance(ctx, "shop"), v1alpha1.ConditionReady)
		expectKept("data-first")
		Expect(retainedNames(t.Instance(ctx, "shop"))).To(Equal([]string{"PersistentVolumeClaim/data-first"}))

		By("removing the release")
		createOwnedClaim("second")
		t.Succeed(ctx, v1alpha1.ActionUninstall, "shop")
		expectKept("data-second")
		Expect(retainedNames(t.Instance(ctx, "shop"))).To(ConsistOf("PersistentVolumeClaim/data-first", "PersistentVolumeClaim/data-second"))

		By("deleting the instance")
		Expect(t.Client.Delete(ctx, t.Instance(ctx, "shop"))).To(Succeed())
		Expect(t.Names(ctx, "persistentvolumeclaims", "--selector", "appmarket.io/instance=shop")).To(Equal([]string{"data-first", "data-second"}))
	})

	It("keeps a Namespace of the chart while it contains volumes", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.GrantAll(ctx)
		namespace := t.Namespace + "-data"
		t.Offer(ctx, fixture.Chart{Name: "shop", Version: "1.0.0", Files: fixture.Files{
			"templates/space.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: \"{{ .Release.Namespace }}-data\"}\n",
			"templates/kept.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notice, annotations: {helm.sh/resource-policy: keep}}\n",
		}})
		t.Succeed(ctx, v1alpha1.ActionInstall, "shop")
		t.Kubectl(ctx, "wait", "--for=jsonpath={.status.phase}=Active", "namespace/"+namespace)
		_, err := t.TryKubectl(ctx, nil, "get", "namespace", namespace)
		Expect(err).NotTo(HaveOccurred())
		t.Cluster.Apply(ctx, "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, namespace: "+namespace+"}\n"+claimSpec)
		end := t.Succeed(ctx, v1alpha1.ActionUninstall, "shop")
		Expect(end.Message).To(ContainSubstring("3 objects are kept (see status.retainedObjects of the instance)"))
		Expect(retainedNames(t.Instance(ctx, "shop"))).To(ConsistOf("PersistentVolumeClaim/data", "Namespace/"+namespace, "ConfigMap/notice"))

		By("deleting it with the volumes")
		t.Succeed(ctx, v1alpha1.ActionInstall, "shop")
		t.Succeed(ctx, v1alpha1.ActionUninstall, "shop", func(s *v1alpha1.AppInstallTaskSpec) {
			s.Uninstall = &v1alpha1.UninstallParameters{DataPolicy: v1alpha1.DataDelete}
		})
		Eventually(func() error {
			return t.Client.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
		}).WithContext(ctx).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
		t.Get(ctx, &corev1.ConfigMap{}, "notice")
	})

	Context("that is blocked by a finalizer", func() {
		held := fixture.Chart{Name: "held", Version: "1.0.0", Files: fixture.Files{
			"templates/held.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Release.Name }}-stuck\", finalizers: [example.com/never]}\n",
		}}
		const waits = "waiting for ConfigMap/held-stuck to be deleted: held by finalizer example.com/never; " +
			"if the controller that removes it does not exist any more, remove it from metadata.finalizers"
		removeFinalizer := func(ctx SpecContext, t *fixture.Tenant) {
			GinkgoHelper()
			t.Kubectl(ctx, "patch", "configmap", "held-stuck", "--namespace", t.Namespace, "--type=merge", "--patch", `{"metadata":{"finalizers":null}}`)
		}
		installHeld := func(ctx SpecContext, t *fixture.Tenant) *fixture.Tenant {
			GinkgoHelper()
			t.Offer(ctx, held)
			t.Succeed(ctx, v1alpha1.ActionInstall, "held")
			return t
		}
		waitDeleted := func(ctx SpecContext, t *fixture.Tenant) {
			GinkgoHelper()
			Eventually(func() error {
				return t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "held"}, &v1alpha1.AppInstance{})
			}).WithContext(ctx).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
		}

		It("reports the object and the finalizer", func(ctx SpecContext) {
			t := installHeld(ctx, newTenant(ctx))
			message := t.Fail(ctx, v1alpha1.ReasonTimedOut, v1alpha1.ActionUninstall, "held", fixture.Timeout("5s"))
			Expect(message).To(Equal("the operation exceeded spec.timeout (5s): " + waits))
			removeFinalizer(ctx, t)
		})

		It("completes when the finalizer is removed", func(ctx SpecContext) {
			t := installHeld(ctx, newTenant(ctx))
			instance := t.Instance(ctx, "held")
			Expect(t.Client.Delete(ctx, instance)).To(Succeed())
			Eventually(func(ctx SpecContext) string {
				return t.WaitReconciling(ctx, instance, v1alpha1.ReasonProgressing)
			}).WithContext(ctx).Should(Equal("removing version 1.0.0: " + waits))
			removeFinalizer(ctx, t)
			waitDeleted(ctx, t)
		})

		It("completes when the namespace is deleted", func(ctx SpecContext) {
			t := installHeld(ctx, fixture.NewTenant(ctx, cluster))
			instance := t.Instance(ctx, "held")
			Expect(t.Client.Delete(ctx, instance)).To(Succeed())
			Eventually(func(ctx SpecContext) string {
				return t.WaitReconciling(ctx, instance, v1alpha1.ReasonProgressing)
			}).WithContext(ctx).Should(ContainSubstring(waits))
			other := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: t.Namespace}}
			Expect(t.Client.Delete(ctx, other)).To(Succeed())
			waitDeleted(ctx, t)
			removeFinalizer(ctx, t)
		})
	})
})
