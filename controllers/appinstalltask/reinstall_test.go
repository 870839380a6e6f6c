package appinstalltask_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("Installing a removed instance again", func() {
	var b *taskFixture
	values := func(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }
	theme := "light"
	inputs := []v1alpha1.InputValue{password, {Name: "THEME", Value: &theme}}
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithInputs())
		b.createTask("first", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) {
			t.Spec.EnsureParameters().Title, t.Spec.EnsureParameters().Values, t.Spec.EnsureParameters().Inputs = "Mine", values(`{"color":"red"}`), inputs
		})
		b.expectStarted()
		b.setInstanceReady("1.0.0")
		b.expectSuccess()
		b.createTask("remove", v1alpha1.ActionUninstall)
		b.expectStarted()
		b.setInstanceStatus("", true, [3]string{"Ready", "True", "Uninstalled"})
		b.expectSuccess()
	})

	It("takes its values, inputs and titles", func() {
		b.createTask("again", v1alpha1.ActionInstall)
		b.expectStarted()
		spec := b.currentInstance().Spec
		Expect(spec.DesiredState).To(Equal(v1alpha1.StateRunning))
		Expect(spec.Title).To(Equal("Mine"))
		Expect(string(spec.Values.Raw)).To(MatchJSON(`{"color":"red"}`))
		Expect(spec.Inputs).To(Equal(inputs))
		b.setInstanceReady("1.0.0")
		b.expectSuccess()
	})

	It("takes the values of the task if it specifies others", func() {
		b.createTask("again", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) {
			t.Spec.EnsureParameters().Title, t.Spec.EnsureParameters().Values = "Other", values(`{"size":2}`)
		})
		b.expectStarted()
		spec := b.currentInstance().Spec
		Expect(spec.Title).To(Equal("Other"))
		Expect(string(spec.Values.Raw)).To(MatchJSON(`{"size":2}`))
		Expect(spec.Inputs).To(Equal(inputs))
	})
})
