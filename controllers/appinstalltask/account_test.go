package appinstalltask_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

// accountRecorder records the service accounts as which the cluster is checked.
type accountRecorder struct{ accounts []string }

func (r *accountRecorder) Check(_ context.Context, wish preflight.Request) ([]preflight.Problem, error) {
	r.accounts = append(r.accounts, wish.Tenant.ServiceAccount)
	return nil, nil
}

var _ = Describe("The service account of a task", func() {
	var b *taskFixture
	var checked *accountRecorder

	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.installVersion("1.0.0")
		checked = &accountRecorder{}
		b.reconciler.Cluster = checked
	})

	withoutAccount := func(t *v1alpha1.AppInstallTask) { t.Spec.ServiceAccountName = "" }

	It("defaults to the account of the instance that it changes", func() {
		b.PublishVersion("1.1.0", filesWithoutInputs())
		b.createTask("upgrade", v1alpha1.ActionUpgrade, withoutAccount)
		b.expectStarted()
		Expect(checked.accounts).To(ConsistOf("tenant"))
		Expect(b.currentInstance().Spec.ServiceAccountName).To(Equal("tenant"))
	})

	It("is not the account of an instance that was removed before", func() {
		b.createTask("remove", v1alpha1.ActionUninstall)
		b.expectStarted()
		b.setInstanceStatus("", true, [3]string{"Ready", "True", "Uninstalled"})
		b.expectSuccess()
		checked.accounts = nil
		b.createTask("again", v1alpha1.ActionInstall, withoutAccount)
		b.expectStarted()
		Expect(checked.accounts).To(ConsistOf("default"), "the account as which Helm runs")
		Expect(b.currentInstance().Spec.ServiceAccountName).To(BeEmpty())
	})

	It("defaults to the account of the origin of a clone", func() {
		b.createTask("copy", v1alpha1.ActionClone, withoutAccount, func(t *v1alpha1.AppInstallTask) {
			t.Spec.InstanceName, t.Spec.Clone = "copy", &v1alpha1.CloneParameters{From: v1alpha1.CloneSource{Name: "web"}}
		})
		b.expectStarted()
		Expect(checked.accounts).To(ConsistOf("tenant"))
	})
})
