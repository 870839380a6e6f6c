package taskbuilder_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

func TestInstanceInsteadOfATask(t *testing.T) {
	app := v1alpha1.AppReference{Namespace: "market", Source: "samples", Name: "wiki"}
	en, de := "en", "de"
	present := &v1alpha1.AppInstance{
		ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "wiki", ResourceVersion: "7", Annotations: map[string]string{"a": "b"}},
		Spec: v1alpha1.AppInstanceSpec{
			AppRef: app, Version: "1.0.0", Title: "Wiki", ServiceAccountName: "installer", PinnedRevision: 3, DesiredState: v1alpha1.StateStopped,
			Values: &runtime.RawExtension{Raw: []byte(`{"a":1}`)}, Inputs: []v1alpha1.InputValue{{Name: "LANGUAGE", Value: &en}, {Name: "SIZE", Value: &en}},
		},
		Status: v1alpha1.AppInstanceStatus{Version: "1.0.0"},
	}
	configuration := v1alpha1.AppConfiguration{Values: &runtime.RawExtension{Raw: []byte(`{"b":2}`)}, Inputs: []v1alpha1.InputValue{{Name: "LANGUAGE", Value: &de}}}
	for _, c := range []struct {
		request taskbuilder.Request
		present *v1alpha1.AppInstance
		want    func(*v1alpha1.AppInstanceSpec)
	}{
		{taskbuilder.Request{Action: v1alpha1.ActionInstall, Version: "2.0.0", Configuration: configuration}, nil, func(s *v1alpha1.AppInstanceSpec) {
			*s = v1alpha1.AppInstanceSpec{AppRef: app, Version: "2.0.0", Values: configuration.Values, Inputs: configuration.Inputs}
		}},
		{taskbuilder.Request{Action: v1alpha1.ActionAdopt}, nil, func(s *v1alpha1.AppInstanceSpec) {
			*s = v1alpha1.AppInstanceSpec{AppRef: app, AdoptionPolicy: v1alpha1.AdoptionAdopt}
		}},
		{taskbuilder.Request{Action: v1alpha1.ActionUpgrade, Version: "2.0.0", Configuration: configuration}, present, func(s *v1alpha1.AppInstanceSpec) {
			s.Version, s.PinnedRevision, s.Values = "2.0.0", 0, configuration.Values
			s.Inputs = []v1alpha1.InputValue{{Name: "LANGUAGE", Value: &de}, {Name: "SIZE", Value: &en}}
		}},
		{taskbuilder.Request{Action: v1alpha1.ActionConfigure}, present, func(s *v1alpha1.AppInstanceSpec) { s.PinnedRevision = 0 }},
		{taskbuilder.Request{Action: v1alpha1.ActionRollback, Revision: 2}, present, func(s *v1alpha1.AppInstanceSpec) { s.PinnedRevision = 2 }},
		{taskbuilder.Request{Action: v1alpha1.ActionResume}, present, func(*v1alpha1.AppInstanceSpec) {}},
		{taskbuilder.Request{Action: v1alpha1.ActionStop}, present, func(s *v1alpha1.AppInstanceSpec) { s.DesiredState = v1alpha1.StateStopped }},
		{taskbuilder.Request{Action: v1alpha1.ActionUninstall, Uninstall: v1alpha1.UninstallParameters{DataPolicy: v1alpha1.DataDelete}}, present,
			func(s *v1alpha1.AppInstanceSpec) {
				s.DesiredState, s.DataPolicy = v1alpha1.StateUninstalled, v1alpha1.DataDelete
			}},
	} {
		t.Run(string(c.request.Action), func(t *testing.T) {
			g := NewWithT(t)
			c.request.Namespace, c.request.App, c.request.Instance = "demo", app, "wiki"
			task, err := taskbuilder.NewTask(c.request)
			g.Expect(err).NotTo(HaveOccurred())
			want := present.DeepCopy().Spec
			want.DesiredState = ""
			c.want(&want)
			if want.DesiredState == "" {
				want.DesiredState = v1alpha1.StateRunning
			}
			got := taskbuilder.NewInstance(task, c.present)
			g.Expect(got.Spec).To(Equal(want))
			g.Expect(got.ObjectMeta).To(Equal(metav1.ObjectMeta{Namespace: "demo", Name: "wiki"}))
			g.Expect(got.Status).To(BeZero())
		})
	}
	restart, err := taskbuilder.NewTask(taskbuilder.Request{Action: v1alpha1.ActionRestart, Namespace: "demo", App: app, Instance: "wiki"})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(taskbuilder.NewInstance(restart, present)).To(BeNil(), "a restart is requested with a time")
}

func TestCommandThatAppliesAManifest(t *testing.T) {
	g := NewWithT(t)
	g.Expect(taskbuilder.ApplyCommand("a: $(b)\n")).To(Equal("kubectl apply -f - <<'EOF'\na: $(b)\nEOF\n"))
	g.Expect(taskbuilder.ApplyCommand("a: |\nEOF\nEOF_\n")).To(Equal("kubectl apply -f - <<'EOF__'\na: |\nEOF\nEOF_\nEOF__\n"), "the manifest does not end the document")
}
