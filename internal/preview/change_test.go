package preview_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preview"
	"github.com/appmarket/operator/internal/taskbuilder"
)

func TestChangeLines(t *testing.T) {
	app := &v1alpha1.AppInfo{Status: v1alpha1.AppInfoStatus{
		SelectedVersion: "1.2.0", Versions: []v1alpha1.PublishedVersion{{Version: "1.2.0"}, {Version: "1.1.0", Deprecated: true}},
	}}
	instance := &v1alpha1.AppInstance{
		Spec:   v1alpha1.AppInstanceSpec{Values: &runtime.RawExtension{Raw: []byte(`{"replicas":1,"page":{"title":"A","color":"red"},"empty":{}}`)}},
		Status: v1alpha1.AppInstanceStatus{Version: "1.0.0"},
	}
	pinned := instance.DeepCopy()
	pinned.Spec.PinnedRevision = 3
	value := "en"
	for _, c := range []struct {
		why      string
		instance *v1alpha1.AppInstance
		app      *v1alpha1.AppInfo
		of       taskbuilder.Request
		asked    []string
		want     []preview.Line
	}{
		{"the latest version", instance, app, taskbuilder.Request{Action: v1alpha1.ActionUpgrade}, nil, []preview.Line{{"Version", "1.0.0 -> 1.2.0"}}},
		{"a deprecated version", instance, app, taskbuilder.Request{Action: v1alpha1.ActionUpgrade, Version: "1.1.0"}, nil, []preview.Line{{"Version", "1.0.0 -> 1.1.0 (deprecated)"}}},
		{"an unknown app", instance, nil, taskbuilder.Request{Action: v1alpha1.ActionUpgrade}, nil, []preview.Line{{"Version", "1.0.0 -> the latest stable version"}}},
		{"the installed version", instance, nil, taskbuilder.Request{Action: v1alpha1.ActionUpgrade, Version: "1.0.0"}, nil, []preview.Line{{"Version", "1.0.0 (already installed)"}}},
		{"nothing", instance, app, taskbuilder.Request{Action: v1alpha1.ActionConfigure}, nil, nil},
		{"a pinned instance", pinned, app, taskbuilder.Request{Action: v1alpha1.ActionConfigure}, nil,
			[]preview.Line{{"Pin", "released from revision 3; the values and inputs of the instance are used again"}}},
		{"values and inputs", instance, app, taskbuilder.Request{Action: v1alpha1.ActionConfigure, Configuration: v1alpha1.AppConfiguration{
			Values: &runtime.RawExtension{Raw: []byte(`{"replicas":2,"page":{"title":"A","size":1}}`)}, Inputs: []v1alpha1.InputValue{{Name: "LANGUAGE", Value: &value}},
		}}, []string{"PASSWORD", "EMAIL"}, []preview.Line{{"Values", "set page.size, replicas; remove empty, page.color"}, {"Inputs", "set EMAIL, LANGUAGE, PASSWORD"}}},
		{"the same values", instance, app, taskbuilder.Request{Action: v1alpha1.ActionConfigure, Configuration: v1alpha1.AppConfiguration{Values: instance.Spec.Values}}, nil,
			[]preview.Line{{"Values", "no change"}}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			lines, err := preview.ChangeLines(c.instance, c.app, c.of, c.asked)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(lines).To(Equal(c.want))
		})
	}
	_, err := preview.ChangeLines(instance, app, taskbuilder.Request{Configuration: v1alpha1.AppConfiguration{Values: &runtime.RawExtension{Raw: []byte("[")}}}, nil)
	NewWithT(t).Expect(err).To(HaveOccurred())
}
