package preview_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preview"
	"github.com/appmarket/operator/internal/taskbuilder"
)

func TestReinstallLines(t *testing.T) {
	value := "en"
	instance := &v1alpha1.AppInstance{Spec: v1alpha1.AppInstanceSpec{
		Values:              &runtime.RawExtension{Raw: []byte(`{"replicas":1,"page":{"title":"A"}}`)},
		ValuesFrom:          []v1alpha1.ValuesReference{{Kind: "ConfigMap", Name: "base"}},
		Inputs:              []v1alpha1.InputValue{{Name: "LANGUAGE", Value: &value}, {Name: "EMAIL", Value: &value}},
		CredentialSecretRef: &v1alpha1.KeyReference{Name: "license", Key: "key"},
	}}
	instance.Name = "wiki"
	for _, c := range []struct {
		why      string
		instance *v1alpha1.AppInstance
		given    v1alpha1.AppConfiguration
		asked    []string
		want     []preview.Line
	}{
		{"nothing is kept", &v1alpha1.AppInstance{}, v1alpha1.AppConfiguration{}, nil, nil},
		{"all is kept", instance, v1alpha1.AppConfiguration{}, nil, []preview.Line{
			{"Values", `page.title, replicas of the uninstalled instance "wiki"`}, {"ValuesFrom", `ConfigMap base of the uninstalled instance "wiki"`},
			{"Inputs", `EMAIL, LANGUAGE of the uninstalled instance "wiki"`}, {"Credential", `Secret license of the uninstalled instance "wiki"`}}},
		{"all is replaced", instance, v1alpha1.AppConfiguration{
			Values: &runtime.RawExtension{Raw: []byte(`{}`)}, ValuesFrom: []v1alpha1.ValuesReference{{Kind: "Secret", Name: "other"}},
			Inputs: []v1alpha1.InputValue{{Name: "LANGUAGE", Value: &value}}, CredentialSecretRef: &v1alpha1.KeyReference{Name: "other", Key: "key"},
		}, []string{"EMAIL"}, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			lines, err := preview.ReinstallLines(c.instance, taskbuilder.Request{Action: v1alpha1.ActionInstall, Configuration: c.given}, c.asked)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(lines).To(Equal(c.want))
		})
	}
}
