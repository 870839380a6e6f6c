package appinstalltask_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
)

// gives sets values of the given size in bytes in the spec of a task.
func gives(bytes int) func(*v1alpha1.AppInstallTask) {
	const empty = `{"a":""}`
	return func(t *v1alpha1.AppInstallTask) {
		t.Spec.Values = &runtime.RawExtension{Raw: fmt.Appendf(nil, `{"a":"%s"}`, strings.Repeat("x", bytes-len(empty)))}
	}
}

// on sets the instance of a task.
func on(instance string) func(*v1alpha1.AppInstallTask) {
	return func(t *v1alpha1.AppInstallTask) { t.Spec.InstanceName = instance }
}

var _ = Describe("The values of the unfinished tasks of a namespace", func() {
	var b *bench
	BeforeEach(func() {
		b = newBench()
		b.publish("1.0.0", pages())
		b.reconciler.MaxValueBytes = 1000
	})

	It("may have so many bytes together, whatever their instances", func() {
		first := b.wish("a", v1alpha1.ActionInstall, on("one"), gives(600))
		second := b.wish("b", v1alpha1.ActionInstall, on("two"), gives(400))
		third := b.wish("c", v1alpha1.ActionInstall, on("three"), gives(100))
		Expect(b.fails(v1alpha1.ReasonAllowanceExceeded)).To(And(
			ContainSubstring("have 100 bytes"), ContainSubstring("before it 1000; a namespace may have 1000"), ContainSubstring("--namespace-task-bytes")))
		Expect(third.Name).To(Equal(b.task.Name))
		Expect(b.task.Finished()).To(BeTrue())
		b.of(second).starts()
		b.of(first).starts()
	})

	It("count no longer when their task has ended", func() {
		b.wish("a", v1alpha1.ActionInstall, on("one"), gives(1001))
		Expect(b.fails(v1alpha1.ReasonAllowanceExceeded)).To(ContainSubstring("before it 0"), "one task alone can be too large")
		b.wish("b", v1alpha1.ActionInstall, on("two"), gives(1000))
		b.starts()
	})

	It("count with those of inputs, and without those of other namespaces", func() {
		other := newBench()
		other.publish("1.0.0", pages())
		other.wish("a", v1alpha1.ActionInstall, on("one"), gives(900))
		b.wish("b", v1alpha1.ActionInstall, on("two"), gives(900))
		b.starts()
		b.wish("c", v1alpha1.ActionInstall, on("three"), func(t *v1alpha1.AppInstallTask) {
			t.Spec.Envs = []v1alpha1.EnvVar{{Name: "TITLE", Value: new(strings.Repeat("x", 101))}}
		})
		b.fails(v1alpha1.ReasonAllowanceExceeded)
	})
})
