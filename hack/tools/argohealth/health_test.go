package argohealth

import (
	"testing"

	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync/hook"
	. "github.com/onsi/gomega"
)

type healthTests struct {
	Tests []struct {
		InputPath    string              `json:"inputPath"`
		HealthStatus health.HealthStatus `json:"healthStatus"`
	} `json:"tests"`
}

func TestHealth(t *testing.T) {
	all := overrides(t)
	for _, kind := range kinds {
		for _, test := range read[healthTests](NewWithT(t), scripts(kind, "health_test.yaml")).Tests {
			t.Run(kind+"/"+test.InputPath, func(t *testing.T) {
				g := NewWithT(t)
				o := object(g, scripts(kind, test.InputPath))
				got, err := health.GetResourceHealth(o, lua.ResourceHealthOverrides(all))
				g.Expect(err).NotTo(HaveOccurred())
				want := test.HealthStatus
				if o.GetDeletionTimestamp() != nil && !hook.HasHookFinalizer(o) {
					// Argo CD runs the script for a deleted object only if it is a hook.
					want = health.HealthStatus{Status: health.HealthStatusProgressing, Message: "Pending deletion"}
				}
				g.Expect(*got).To(Equal(want))
			})
		}
	}
}
