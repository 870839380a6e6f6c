package appinstance_test

import (
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

var _ = Describe("Removing", func() {
	var b *instanceFixture
	// installed creates an instance with a PersistentVolumeClaim.
	installed := func(policy v1alpha1.DataPolicy) {
		GinkgoHelper()
		content := configMapFiles()
		content["templates/claim.yaml"] = claimTemplate
		b.PublishVersion("1.0.0", content)
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.DataPolicy = policy })
		b.expectReady("1.0.0", 1)
	}
	BeforeEach(func() { b = newInstanceFixture() })

	absent := func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateUninstalled }
	// kept reports whether the claim exists and is not being deleted.
	kept := func() bool {
		GinkgoHelper()
		found := &corev1.PersistentVolumeClaim{}
		err := server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: "mine-data"}, found)
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		return err == nil && found.DeletionTimestamp.IsZero()
	}
	// deprive removes permissions of the tenant.
	deprive := func() {
		GinkgoHelper()
		role := &rbacv1.Role{}
		Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: "tenant"}, role)).To(Succeed())
		role.Rules = []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"*"}}}
		Expect(server.Client.Update(b.ctx, role)).To(Succeed())
		reader, err := b.reconciler.Tenants.ClientFor(tenantFor(b))
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() bool {
			return apierrors.IsForbidden(reader.List(b.ctx, &corev1.ConfigMapList{}, client.InNamespace(b.instance.Namespace)))
		}).Should(BeTrue(), "the API server has taken note")
	}

	It("keeps the claims and the record", func() {
		installed(v1alpha1.DataRetain)
		b.editInstance(absent)
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Uninstalled"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("removed; 1 object is kept (see status.retainedObjects of the instance)"))
		Expect(b.releaseRevision("mine")).To(BeZero())
		Expect(kept()).To(BeTrue())
		status := b.instance.Status
		Expect(status.RetainedObjects).To(Equal([]v1alpha1.ObjectReference{
			{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: b.instance.Namespace, Name: "mine-data"}}))
		Expect([]any{status.Version, status.ChartDigest, status.ValuesDigest, len(status.Releases), status.Inventory}).
			To(Equal([]any{"", "", "", 0, (*v1alpha1.Inventory)(nil)}))
		Expect(b.historySummary()).To(Equal([]string{"Uninstall 1.0.0 Succeeded", "Install 1.0.0 Succeeded"}))
		b.expectNoWrites()
	})

	It("takes the claims up again when it is installed again", func() {
		installed(v1alpha1.DataRetain)
		b.editInstance(absent)
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateRunning })
		b.expectReady("1.0.0", 1)
		Expect(b.instance.Status.RetainedObjects).To(BeEmpty())
		Expect(b.historySummary()[0]).To(Equal("Install 1.0.0 Succeeded"))
	})

	It("deletes the claims where they are not to be kept", func() {
		installed(v1alpha1.DataDelete)
		b.editInstance(absent)
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(kept()).To(BeFalse())
		Expect(b.instance.Status.RetainedObjects).To(BeEmpty())
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("removed"))
		b.expectNoWrites()
	})

	It("has nothing to do for what was never installed", func() {
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.DesiredState = v1alpha1.StateUninstalled })
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Uninstalled"))
		Expect(b.historySummary()).To(BeEmpty())
		b.expectNoWrites()
	})

	It("does not need the app that was installed", func() {
		installed(v1alpha1.DataRetain)
		Expect(server.Client.Delete(b.ctx, b.Source)).To(Succeed())
		b.editInstance(absent)
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Uninstalled"))
	})

	It("is not repeated without a request after a failure", func() {
		installed(v1alpha1.DataRetain)
		Expect(server.Client.Delete(b.ctx, b.Source)).To(Succeed())
		b.expectUnresolved(v1alpha1.ReasonRefNotPermitted)
		deprive()
		b.editInstance(absent)
		_, err := b.reconcileInstance()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.conditionStatus(v1alpha1.ConditionApplied)).To(Equal("False PermissionDenied"))
		Expect(b.historySummary()[0]).To(Equal("Uninstall 1.0.0 Failed PermissionDenied"))
		b.expectNoWrites()
		Expect(b.historySummary()).To(HaveLen(2))
	})

	Context("the object", func() {
		It("goes when its releases have gone", func() {
			installed(v1alpha1.DataRetain)
			Expect(server.Client.Delete(b.ctx, b.instance)).To(Succeed())
			b.readInstance()
			_, err := b.reconciler.Reconcile(b.ctx, b.instance)
			Expect(err).NotTo(HaveOccurred())
			err = server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.instance), b.instance)
			Expect(apierrors.IsNotFound(err)).To(BeTrue())
			Expect(b.releaseRevision("mine")).To(BeZero())
			Expect(kept()).To(BeTrue())
		})

		It("goes with its claims where they are not to be kept", func() {
			installed(v1alpha1.DataDelete)
			Expect(server.Client.Delete(b.ctx, b.instance)).To(Succeed())
			b.readInstance()
			_, err := b.reconciler.Reconcile(b.ctx, b.instance)
			Expect(err).NotTo(HaveOccurred())
			Expect(kept()).To(BeFalse())
		})

		It("goes when nothing was ever installed", func() {
			b.createInstance()
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			Expect(server.Client.Delete(b.ctx, b.instance)).To(Succeed())
			b.readInstance()
			_, err = b.reconciler.Reconcile(b.ctx, b.instance)
			Expect(err).NotTo(HaveOccurred())
			err = server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.instance), b.instance)
			Expect(apierrors.IsNotFound(err)).To(BeTrue())
		})

		It("stays while they cannot be removed, and tries again", func() {
			installed(v1alpha1.DataRetain)
			deprive()
			Expect(server.Client.Delete(b.ctx, b.instance)).To(Succeed())
			for range 2 {
				_, err := b.reconcileInstance()
				Expect(err).To(HaveOccurred())
				Expect(err).NotTo(MatchError(reconcile.TerminalError(nil)))
				Expect(b.conditionStatus(v1alpha1.ConditionApplied)).To(Equal("False PermissionDenied"))
				Expect(b.instance.Finalizers).To(Equal([]string{v1alpha1.Finalizer}))
			}
			Expect(b.historySummary()).To(Equal([]string{"Uninstall 1.0.0 Failed PermissionDenied", "Install 1.0.0 Succeeded"}))
			Expect(b.instance.Status.History[0].Count).To(Equal(int32(2)), "retries are one entry")
		})

		It("goes at once with its namespace", func() {
			installed(v1alpha1.DataRetain)
			space := &corev1.Namespace{}
			space.Name = b.instance.Namespace
			Expect(server.Client.Delete(b.ctx, space)).To(Succeed())
			Expect(server.Client.Delete(b.ctx, b.instance)).To(Succeed())
			b.readInstance()
			_, err := b.reconciler.Reconcile(b.ctx, b.instance)
			Expect(err).NotTo(HaveOccurred())
			err = server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.instance), b.instance)
			Expect(apierrors.IsNotFound(err)).To(BeTrue())
			Expect(b.releaseRevision("mine")).To(Equal(1), "Helm was not called")
		})

		It("goes at once with its namespace in the middle of an operation", func() {
			installed(v1alpha1.DataRetain)
			b.editStatus(func(status *v1alpha1.AppInstanceStatus) {
				status.CurrentOperation = &v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Version: "1.0.0", StartedAt: metav1.Now()}
			})
			space := &corev1.Namespace{}
			space.Name = b.instance.Namespace
			Expect(server.Client.Delete(b.ctx, space)).To(Succeed())
			Expect(server.Client.Delete(b.ctx, b.instance)).To(Succeed())
			b.readInstance()
			// The permissions of the tenant are already deleted.
			b.reconciler.Clients = func(release.Tenant, release.Records) release.Client {
				return fakeHelmClient{settle: func() error { return errors.New("forbidden") }}
			}
			_, err := b.reconciler.Reconcile(b.ctx, b.instance)
			Expect(err).NotTo(HaveOccurred())
			err = server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.instance), b.instance)
			Expect(apierrors.IsNotFound(err)).To(BeTrue())
		})
	})
})
