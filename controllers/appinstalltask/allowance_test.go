package appinstalltask_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
)

// withValueBytes sets values of the given size in bytes in the spec of a task.
func withValueBytes(bytes int) func(*v1alpha1.AppInstallTask) {
	const empty = `{"a":""}`
	return func(t *v1alpha1.AppInstallTask) {
		t.Spec.EnsureParameters().Values = &runtime.RawExtension{Raw: fmt.Appendf(nil, `{"a":"%s"}`, strings.Repeat("x", bytes-len(empty)))}
	}
}

// onInstance sets the instance of a task.
func onInstance(instance string) func(*v1alpha1.AppInstallTask) {
	return func(t *v1alpha1.AppInstallTask) { t.Spec.InstanceName = instance }
}

var _ = Describe("The values of the unfinished tasks of a namespace", func() {
	var b *taskFixture
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.reconciler.MaxValueBytes = 1000
	})

	It("may have so many bytes together, whatever their instances", func() {
		first := b.createTask("a", v1alpha1.ActionInstall, onInstance("one"), withValueBytes(600))
		second := b.createTask("b", v1alpha1.ActionInstall, onInstance("two"), withValueBytes(400))
		third := b.createTask("c", v1alpha1.ActionInstall, onInstance("three"), withValueBytes(100))
		Expect(b.expectFailure(v1alpha1.ReasonAllowanceExceeded)).To(And(
			ContainSubstring("exceeded limit of 1000 bytes"), ContainSubstring("this task has 100 bytes, earlier tasks have 1000"), ContainSubstring("--namespace-task-bytes")))
		Expect(third.Name).To(Equal(b.task.Name))
		Expect(b.task.Finished()).To(BeTrue())
		b.selectTask(second).expectStarted()
		b.selectTask(first).expectStarted()
	})

	It("count no longer when their task has ended", func() {
		b.createTask("a", v1alpha1.ActionInstall, onInstance("one"), withValueBytes(1001))
		Expect(b.expectFailure(v1alpha1.ReasonAllowanceExceeded)).To(ContainSubstring("this task has 1001 bytes, earlier tasks have 0"), "one task alone can be too large")
		b.createTask("b", v1alpha1.ActionInstall, onInstance("two"), withValueBytes(1000))
		b.expectStarted()
	})

	It("count together with inputs, and separately for each namespace", func() {
		other := newTaskFixture()
		other.PublishVersion("1.0.0", filesWithoutInputs())
		other.createTask("a", v1alpha1.ActionInstall, onInstance("one"), withValueBytes(900))
		b.createTask("b", v1alpha1.ActionInstall, onInstance("two"), withValueBytes(900))
		b.expectStarted()
		b.createTask("c", v1alpha1.ActionInstall, onInstance("three"), func(t *v1alpha1.AppInstallTask) {
			t.Spec.EnsureParameters().Inputs = []v1alpha1.InputValue{{Name: "TITLE", Value: new(strings.Repeat("x", 101))}}
		})
		b.expectFailure(v1alpha1.ReasonAllowanceExceeded)
	})
})
