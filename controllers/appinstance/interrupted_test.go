package appinstance_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("An operation that was cut off", func() {
	var b *instanceFixture
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance()
	})

	// cut sets the state that a process leaves when it crashes during a Helm operation.
	cut := func(what v1alpha1.OperationType, pending helmrelease.Status) {
		GinkgoHelper()
		admin, err := kubernetes.NewForConfig(server.Config)
		Expect(err).NotTo(HaveOccurred())
		records := storage.Init(driver.NewSecrets(admin.CoreV1().Secrets(b.instance.Namespace)))
		last, err := records.Last("mine")
		Expect(err).NotTo(HaveOccurred())
		last.Info.Status = pending
		Expect(records.Update(last)).To(Succeed())
		b.editStatus(func(status *v1alpha1.AppInstanceStatus) {
			status.CurrentOperation = &v1alpha1.Operation{Type: what, Version: "1.0.0", StartedAt: metav1.NewTime(time.Now().Add(-time.Hour))}
		})
		b.restartReconciler()
	}

	It("is continued when it was an upgrade", func() {
		b.expectReady("1.0.0", 1)
		cut(v1alpha1.OperationUpgrade, helmrelease.StatusPendingUpgrade)
		b.editStatus(func(status *v1alpha1.AppInstanceStatus) { status.ValuesDigest = "before" })
		b.expectReady("1.0.0", 2)
		Expect(b.historySummary()).To(Equal([]string{"Upgrade 1.0.0 Succeeded", "Upgrade 1.0.0 Interrupted Interrupted", "Install 1.0.0 Succeeded"}))
		Expect(b.instance.Status.Releases[0].Status).To(Equal("deployed"))
	})

	It("is continued when it was the first installation", func() {
		b.expectReady("1.0.0", 1)
		cut(v1alpha1.OperationInstall, helmrelease.StatusPendingInstall)
		b.editStatus(func(status *v1alpha1.AppInstanceStatus) {
			status.Version, status.ChartDigest, status.ValuesDigest, status.History, status.Revision = "", "", "", nil, 0
		})
		b.expectReady("1.0.0", 2)
		Expect(b.historySummary()).To(Equal([]string{"Install 1.0.0 Succeeded", "Install 1.0.0 Interrupted Interrupted"}))
	})

	It("is continued when it had not reached Helm", func() {
		b.editStatus(func(status *v1alpha1.AppInstanceStatus) {
			status.Releases = []v1alpha1.Release{{Name: "mine"}}
			status.CurrentOperation = &v1alpha1.Operation{Type: v1alpha1.OperationInstall, Version: "1.0.0", StartedAt: metav1.Now()}
		})
		b.expectReady("1.0.0", 1)
		Expect(b.historySummary()).To(Equal([]string{"Install 1.0.0 Succeeded", "Install 1.0.0 Interrupted Interrupted"}))
	})

	It("is continued when it was the removal", func() {
		b.expectReady("1.0.0", 1)
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateUninstalled })
		cut(v1alpha1.OperationUninstall, helmrelease.StatusUninstalling)
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Uninstalled"))
		Expect(b.historySummary()[:2]).To(Equal([]string{"Uninstall 1.0.0 Succeeded", "Uninstall 1.0.0 Interrupted Interrupted"}))
		Expect(b.releaseRevision("mine")).To(BeZero())
		b.expectNoWrites()
	})

	It("is made good when the spec is again what it was before", func() {
		b.expectReady("1.0.0", 1)
		cut(v1alpha1.OperationUpgrade, helmrelease.StatusPendingUpgrade)
		b.expectReady("1.0.0", 2)
		Expect(b.historySummary()[:2]).To(Equal([]string{"Upgrade 1.0.0 Succeeded", "Upgrade 1.0.0 Interrupted Interrupted"}))
		Expect(b.instance.Status.Releases[0].Status).To(Equal("deployed"))
	})
})
