package taskbuilder_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

func TestNewCheckLeavesOutUnwrittenInputs(t *testing.T) {
	g := NewWithT(t)
	size := "5"
	kept := []v1alpha1.InputValue{
		{Name: "SIZE", Value: &size}, taskbuilder.SecretInput("TOKEN", "mine", "PASSWORD"), taskbuilder.SecretInput("OLD", "wiki-inputs", "OLD"),
	}
	task, err := taskbuilder.NewTask(requestFor(v1alpha1.ActionInstall, withVersion, func(r *taskbuilder.Request) {
		r.Configuration.Inputs = append([]v1alpha1.InputValue{taskbuilder.SecretInput("PASSWORD", "wiki-inputs", "PASSWORD")}, kept...)
	}))
	g.Expect(err).NotTo(HaveOccurred())
	check := taskbuilder.NewCheck(task, func(key string) bool { return key == "PASSWORD" })
	g.Expect(check.IsDryRun()).To(BeTrue())
	g.Expect([]string{check.Namespace, check.Name, check.GenerateName}).To(Equal([]string{"demo", "", "check-wiki-"}))
	g.Expect(check.Spec.Install.Inputs).To(Equal(kept))
	g.Expect(check.Spec.Install.Version).To(Equal("2.0.1"))
	g.Expect(task.Spec.Install.Inputs).To(HaveLen(4), "the task is not changed")
	g.Expect(task.IsDryRun()).To(BeFalse())

	task, err = taskbuilder.NewTask(requestFor(v1alpha1.ActionRollback))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(taskbuilder.NewCheck(task, nil).Spec.Action).To(Equal(v1alpha1.ActionRollback))
}
