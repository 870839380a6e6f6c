package integration_test

import (
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A task with a subtask that a tenant created", func() {
	It("does not check continuously when the subtask succeeded and the dependency does not run", func(ctx SpecContext) {
		t := newTenant(ctx)
		offerApps(ctx, t, fixture.App("needed", plainFiles, ""), fixture.App("other", plainFiles, ""), fixture.App("root", plainFiles, "", "needed"))
		task := t.Task(ctx, v1alpha1.ActionInstall, "root", func(s *v1alpha1.AppInstallTaskSpec) {
			s.Dependencies, s.Suspend = v1alpha1.DependenciesInstall, new(true)
		})
		subtask := &v1alpha1.AppInstallTask{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: t.Namespace, Name: task.Name + "-needed", Labels: map[string]string{v1alpha1.ParentLabel: task.Name},
			},
			Spec: v1alpha1.AppInstallTaskSpec{
				Action: v1alpha1.ActionInstall, InstanceName: "other", ServiceAccountName: fixture.Account, RunID: string(task.UID),
				AppRef: v1alpha1.AppReference{Source: t.Source.Name, Namespace: t.Source.Namespace, Name: "other"},
			},
		}
		Expect(t.Client.Create(ctx, subtask)).To(Succeed())
		Expect(t.WaitEnd(ctx, subtask).Status).To(Equal(metav1.ConditionTrue))

		Expect(t.Client.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
		before := client.MergeFrom(task.DeepCopy())
		task.Spec.Suspend = nil
		Expect(t.Client.Patch(ctx, task, before)).To(Succeed())
		t.WaitReconciling(ctx, task, v1alpha1.ReasonWaitingForDependency)
		log, err := os.Stat(t.Cluster.AuditLog())
		Expect(err).NotTo(HaveOccurred())
		Consistently(func() int { return countPreflightChecks(t, int(log.Size())) }, 3*time.Second, "200ms").WithContext(ctx).Should(BeNumerically("<=", 5))
		t.Succeed(ctx, v1alpha1.ActionCancel, "root", fixture.As("root"))
	})
})
