package appinstalltask

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskrecord"
	"github.com/appmarket/operator/internal/transitions"
)

// TestActionsAreComplete fails if an action of package transitions has no row, or if its row does
// not lead to the states that the package documents.
func TestActionsAreComplete(t *testing.T) {
	g := NewWithT(t)
	g.Expect(actions).To(HaveLen(len(transitions.Outcomes)+1), "Cancel has no outcome of its own")
	for name, outcome := range transitions.Outcomes {
		row, found := actions[name]
		g.Expect(found).To(BeTrue(), "%s", name)
		g.Expect(row.checks).NotTo(BeEmpty(), "%s", name)
		if outcome.Committed {
			continue
		}
		g.Expect(row.revert).NotTo(BeNil(), "%s can be canceled", name)
		spec := &v1alpha1.AppInstanceSpec{}
		row.revert(&scope{}, spec)
		g.Expect(spec.DesiredState).To(Equal(stateAfterCancel(name, outcome.Canceled)), "%s", name)
	}
}

// stateAfterCancel returns the desired state after an action was canceled.
func stateAfterCancel(action v1alpha1.Action, canceled transitions.State) v1alpha1.DesiredState {
	switch {
	case canceled == transitions.Uninstalled:
		return v1alpha1.StateUninstalled
	case action == v1alpha1.ActionResume:
		return v1alpha1.StateStopped
	}
	return v1alpha1.StateRunning
}

func TestPinPreviousRevision(t *testing.T) {
	for _, c := range []struct {
		why             string
		recorded, start int32
		want            int32
	}{
		{"the revision before is restored", 3, 0, 3},
		{"another pin is replaced", 3, 1, 3},
		{"without a record the spec is kept", 0, 1, 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := &scope{ownership: ownership{record: taskrecord.Record{PreviousRevision: c.recorded}}}
			spec := &v1alpha1.AppInstanceSpec{PinnedRevision: c.start}
			pinPreviousRevision(s, spec)
			NewWithT(t).Expect(spec.PinnedRevision).To(Equal(c.want))
		})
	}
}

func TestAreOpposite(t *testing.T) {
	opposites := map[v1alpha1.Action][]v1alpha1.Action{
		v1alpha1.ActionInstall:   {v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		v1alpha1.ActionClone:     {v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		v1alpha1.ActionAdopt:     {v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		v1alpha1.ActionUpgrade:   {v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		v1alpha1.ActionConfigure: {v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		v1alpha1.ActionResume:    {v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		v1alpha1.ActionRestart:   {v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		v1alpha1.ActionUninstall: {
			v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionAdopt, v1alpha1.ActionUpgrade, v1alpha1.ActionConfigure,
			v1alpha1.ActionResume, v1alpha1.ActionRestart,
		},
		v1alpha1.ActionStop: {
			v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionAdopt, v1alpha1.ActionUpgrade, v1alpha1.ActionConfigure,
			v1alpha1.ActionResume, v1alpha1.ActionRestart,
		},
	}
	g := NewWithT(t)
	for a := range actions {
		var found []v1alpha1.Action
		for b := range actions {
			if areOpposite(a, b) {
				found = append(found, b)
			}
		}
		g.Expect(found).To(ConsistOf(opposites[a]), "%s", a)
	}
}
