package appinstance_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("Resolving an instance", func() {
	var b *instanceFixture
	BeforeEach(func() { b = newInstanceFixture() })

	// refused expects the instance to be stalled without a Helm operation.
	refused := func(reason string) {
		GinkgoHelper()
		b.expectUnresolved(reason)
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False " + reason))
		Expect(b.releaseRevision("mine")).To(BeZero())
		Expect(b.historySummary()).To(BeEmpty())
		b.expectNoWrites()
	}
	share := func(from v1alpha1.FromNamespaces) {
		GinkgoHelper()
		before := client.MergeFrom(b.Source.DeepCopy())
		b.Source.Spec.AllowedNamespaces.From = from
		Expect(server.Client.Patch(b.ctx, b.Source, before)).To(Succeed())
	}

	It("refuses the app of a source that is not shared with its namespace", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		share(v1alpha1.NamespacesFromSame)
		b.createInstance()
		refused(v1alpha1.ReasonRefNotPermitted)
		share(v1alpha1.NamespacesFromAll)
		b.expectReady("1.0.0", 1)
	})

	It("refuses an app that there is not", func() {
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.AppRef.Name = "other" })
		refused(v1alpha1.ReasonNotFound)
	})

	It("refuses a version that there is not", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "^2" })
		refused(v1alpha1.ReasonVersionNotFound)
	})

	It("waits for the first version to be published", func() {
		b.createInstance()
		result, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(BeNumerically("~", 5*time.Minute, time.Minute), "it may have been offered and taken back")
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForApp"))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("Unknown WaitingForApp"))
		Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(BeEmpty())
		b.expectNoWrites()
		b.PublishVersion("1.0.0", configMapFiles())
		b.expectReady("1.0.0", 1)
	})

	It("waits for a version that is offered and not published yet", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		before := client.MergeFrom(b.App.DeepCopy())
		b.App.Spec.Offers = []v1alpha1.Offer{{Version: "2.0.0"}, {Version: "1.0.0"}}
		Expect(server.Client.Patch(b.ctx, b.App, before)).To(Succeed())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "2.0.0" })
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForApp"))
	})

	It("names every input that is missing or wrong", func() {
		content := configMapFiles()
		content["OlaresManifest.yaml"] = manifestWithInputs
		b.PublishVersion("1.0.0", content)
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) {
			spec.Inputs = []v1alpha1.InputValue{{Name: "THEME", Value: new("blue")}, {Name: "OTHER", Value: new("x")}}
		})
		refused(v1alpha1.ReasonInvalidSpec)
		Expect(b.conditionMessage(v1alpha1.ConditionResolved)).To(Equal(
			`spec.inputs: set required "PASSWORD"; correct "THEME" (must be one of: light, dark); remove unknown "OTHER"`))
		server.Create(GinkgoTB(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "inputs"}, StringData: map[string]string{"password": "hunter2"},
		})
		b.editInstance(func(i *v1alpha1.AppInstance) {
			i.Spec.Inputs = []v1alpha1.InputValue{{Name: "THEME", Value: new("dark")}, {Name: "PASSWORD", ValueFrom: &v1alpha1.InputValueSource{
				SecretKeyRef: &v1alpha1.KeyReference{Name: "inputs", Key: "password"},
			}}}
		})
		b.expectReady("1.0.0", 1)
		Expect(b.configMapData()).To(HaveKeyWithValue("theme", "dark"))
		Expect(b.instance.Status.Entrances).To(Equal([]v1alpha1.Entrance{{Name: "front", Title: "Front", Port: 80}}))
	})

	It("takes values in their order, and looks again for those that are missing", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) {
			spec.ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesFromSecret, Name: "values", Key: "values.yaml"}}
		})
		_, err := b.reconcileInstance()
		Expect(err).To(HaveOccurred())
		Expect(err).NotTo(MatchError(reconcile.TerminalError(nil)))
		Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False ReferenceNotFound"))
		b.expectNoWrites()
		server.Create(GinkgoTB(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "values"},
			StringData: map[string]string{"values.yaml": "color: red\n"},
		})
		b.expectReady("1.0.0", 1)
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "red"))
		b.editInstance(func(i *v1alpha1.AppInstance) {
			i.Spec.Values = &runtime.RawExtension{Raw: []byte(`{"color": "blue"}`)}
		})
		b.expectReady("1.0.0", 2)
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "blue"))
	})

	It("reads values with the rights of the tenant", func() {
		b = newInstanceFixtureWithRules(rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"*"}})
		b.PublishVersion("1.0.0", configMapFiles())
		server.Create(GinkgoTB(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "values"},
			StringData: map[string]string{"values.yaml": "color: red\n"},
		})
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) {
			spec.ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesFromSecret, Name: "values", Key: "values.yaml"}}
		})
		_, err := b.reconcileInstance()
		Expect(err).To(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False PermissionDenied"))
		b.expectNoWrites()
	})

	It("finds an app again that it had lost, and leaves it running", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance()
		b.expectReady("1.0.0", 1)
		share(v1alpha1.NamespacesFromSame)
		b.expectUnresolved(v1alpha1.ReasonRefNotPermitted)
		Expect(b.releaseRevision("mine")).To(Equal(1))
		share(v1alpha1.NamespacesFromAll)
		b.expectReady("1.0.0", 1)
	})

	It("reports its state while its app does not exist", func() {
		const serving, down = "True ServingPrevious, ", "False RefNotPermitted, "
		b.PublishVersion("1.0.0", workloadFiles())
		b.createInstance()
		_, _ = b.reconcileUntilObserved()
		b.setWorkloadReady(true)
		_, err := b.reconcileUntil("True Ready, True Healthy")
		Expect(err).NotTo(HaveOccurred())
		share(v1alpha1.NamespacesFromSame)
		_, _ = b.reconcileUntil(serving)
		b.expectNoWrites()
		b.setWorkloadReady(false)
		_, _ = b.reconcileUntil(down)
		Expect(b.instance.Status.Inventory.Ready).To(BeZero())
		b.expectNoWrites()
		b.setWorkloadReady(true)
		_, _ = b.reconcileUntil(serving)

		By("starting again, before the first look")
		b.restartReconciler()
		b.expectUnresolved(v1alpha1.ReasonRefNotPermitted)
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
	})

	It("does not call an instance ready again whose last operation failed", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance()
		b.expectReady("1.0.0", 1)
		b.editStatus(func(status *v1alpha1.AppInstanceStatus) {
			status.History[0].Outcome = v1alpha1.OutcomeFailed
			for i := range status.Conditions {
				status.Conditions[i].Status = metav1.ConditionFalse
				status.Conditions[i].Reason = v1alpha1.ReasonUpgradeFailed
			}
		})
		share(v1alpha1.NamespacesFromSame)
		b.expectUnresolved(v1alpha1.ReasonRefNotPermitted)
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False RefNotPermitted"))
	})

	It("keeps the version it has, and tells of a newer one", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance()
		b.expectReady("1.0.0", 1)
		b.PublishVersion("1.1.0", configMapFiles())
		b.PublishVersion("2.0.0-rc.1", configMapFiles())
		b.expectReady("1.0.0", 1)
		Expect(b.instance.Status.AvailableUpdate).To(Equal("1.1.0"))
	})

	It("takes a newer version that its range allows", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "^1" })
		b.expectReady("1.0.0", 1)
		b.PublishVersion("1.1.0", configMapFiles())
		b.PublishVersion("2.0.0", configMapFiles())
		b.expectReady("1.1.0", 2)
		Expect(b.instance.Status.AvailableUpdate).To(Equal("2.0.0"))
	})
})
