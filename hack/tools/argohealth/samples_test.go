package argohealth

import (
	"path/filepath"
	"testing"

	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/argoproj/gitops-engine/pkg/sync/hook"
	"github.com/argoproj/gitops-engine/pkg/sync/syncwaves"
	. "github.com/onsi/gomega"
)

// place is the position of an object in a sync of Argo CD.
type place struct {
	hooks    []common.HookType
	policies []common.HookDeletePolicy
	wave     int
}

// TestSamples checks when Argo CD applies each of the samples. The sync engine does not apply hooks
// that run when an application is deleted, because another part of Argo CD does.
func TestSamples(t *testing.T) {
	g := NewWithT(t)
	before := []common.HookDeletePolicy{common.HookDeletePolicyBeforeHookCreation}
	want := map[string]place{
		"Namespace/market":                {wave: -2},
		"MarketSource/samples":            {wave: -2},
		"Namespace/demo":                  {wave: -1},
		"ServiceAccount/appmarket-tenant": {wave: -1},
		"RoleBinding/appmarket-tenant":    {wave: -1},
		"AppInstance/blog":                {},
		"AppInstance/board":               {wave: 1},
		"AppInstallTask/install-notes":    {hooks: []common.HookType{common.HookTypePreSync}, policies: before},
		"AppInstallTask/install-hello":    {hooks: []common.HookType{common.HookTypePostSync}, policies: before},
	}
	found := map[string]place{}
	for _, pattern := range []string{"market/*.yaml", "argocd/demo/*.yaml"} {
		paths, err := filepath.Glob(filepath.Join(root, "config", "samples", "gitops", pattern))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(paths).NotTo(BeEmpty())
		for _, path := range paths {
			for _, o := range objects(g, path) {
				p := place{wave: syncwaves.Wave(o)}
				if hook.IsHook(o) {
					p.hooks, p.policies = hook.Types(o), hook.DeletePolicies(o)
				}
				name := o.GetKind() + "/" + o.GetName()
				if name == "AppInstallTask/uninstall-hello" || name == "AppInstallTask/uninstall-notes" {
					g.Expect(hook.IsHook(o)).To(BeTrue())
					g.Expect(hook.Types(o)).To(BeEmpty())
					continue
				}
				found[name] = p
			}
		}
	}
	g.Expect(found).To(Equal(want))
}
