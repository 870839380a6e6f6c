package appinstance

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestMessagesOfOperations(t *testing.T) {
	for _, c := range []struct {
		operation        v1alpha1.Operation
		inProgress, done string
	}{
		{v1alpha1.Operation{Type: v1alpha1.OperationInstall, Version: "1.0.0"}, "installing version 1.0.0", "installed version 1.0.0"},
		{v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Version: "1.0.0"}, "upgrading to version 1.0.0", "upgraded to version 1.0.0"},
		{v1alpha1.Operation{Type: v1alpha1.OperationRollback, Version: "1.0.0", To: 2}, "rolling back to revision 2, version 1.0.0", "rolled back to revision 2, version 1.0.0"},
		{v1alpha1.Operation{Type: v1alpha1.OperationAdopt, Version: "1.0.0"}, "adopting version 1.0.0", "adopted version 1.0.0"},
		{v1alpha1.Operation{Type: v1alpha1.OperationStop, Version: "1.0.0"}, "stopping version 1.0.0", "stopped version 1.0.0"},
		{v1alpha1.Operation{Type: v1alpha1.OperationResume, Version: "1.0.0"}, "resuming version 1.0.0", "resumed version 1.0.0"},
		{v1alpha1.Operation{Type: v1alpha1.OperationRestart, Version: "1.0.0"}, "restarting version 1.0.0", "restarted version 1.0.0"},
		{v1alpha1.Operation{Type: v1alpha1.OperationUninstall, Version: "1.0.0"}, "removing version 1.0.0", "removed version 1.0.0"},
		{v1alpha1.Operation{Type: v1alpha1.OperationUninstall}, "removing the releases", "removed"},
	} {
		t.Run(string(c.operation.Type)+" "+c.operation.Version, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(inProgressMessage(c.operation)).To(Equal(c.inProgress))
			g.Expect(doneMessage(c.operation)).To(Equal(c.done))
		})
	}
}

// TestOperationKindsAreComplete fails if a row lacks the step that carries out its operations.
func TestOperationKindsAreComplete(t *testing.T) {
	g := NewWithT(t)
	g.Expect(operationKinds).To(HaveLen(8))
	for kind, row := range operationKinds {
		g.Expect([]string{row.doing, row.done, row.begins, row.ends}).NotTo(ContainElement(""), "%s", kind)
		steps := 0
		for _, has := range []bool{row.prepare != nil, row.scale != nil, row.restart != nil, row.isRemoval} {
			if has {
				steps++
			}
		}
		g.Expect(steps).To(Equal(1), "%s has one step that carries it out", kind)
	}
}
