package v1alpha1_test

import (
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

// TestParametersPath compares the path with the JSON name of the member that contains the title.
func TestParametersPath(t *testing.T) {
	configuration := v1alpha1.AppConfiguration{Title: "x"}
	parameters := v1alpha1.AppParameters{AppConfiguration: configuration}
	for _, spec := range []v1alpha1.AppInstallTaskSpec{
		{Action: v1alpha1.ActionInstall, Install: &parameters},
		{Action: v1alpha1.ActionUpgrade, Upgrade: &v1alpha1.UpgradeParameters{AppParameters: parameters}},
		{Action: v1alpha1.ActionConfigure, Configure: &configuration},
		{Action: v1alpha1.ActionClone, Clone: &v1alpha1.CloneParameters{AppParameters: parameters}},
		{Action: v1alpha1.ActionAdopt, Adopt: &parameters},
	} {
		t.Run(string(spec.Action), func(t *testing.T) {
			g := NewWithT(t)
			text, err := json.Marshal(map[string]any{"spec": spec})
			g.Expect(err).NotTo(HaveOccurred())
			var decoded map[string]map[string]any
			g.Expect(json.Unmarshal(text, &decoded)).To(Succeed())
			var paths []string
			for name, member := range decoded["spec"] {
				if fields, ok := member.(map[string]any); ok && fields["title"] == "x" {
					paths = append(paths, "spec."+name)
				}
			}
			g.Expect(paths).To(ConsistOf(spec.ParametersPath()))
		})
	}
	for _, action := range []v1alpha1.Action{v1alpha1.ActionStop, v1alpha1.ActionRollback, v1alpha1.ActionUninstall, v1alpha1.ActionCancel} {
		NewWithT(t).Expect((&v1alpha1.AppInstallTaskSpec{Action: action}).ParametersPath()).To(Equal("spec"), string(action))
	}
}
