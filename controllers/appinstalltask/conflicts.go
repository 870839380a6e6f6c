package appinstalltask

import (
	"context"
	"fmt"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/outcome"
)

// otherInstances returns the other instances in the namespace that are not removed.
func otherInstances(ctx context.Context, r *Reconciler, s *scope) ([]v1alpha1.AppInstance, error) {
	return admission.ListOtherInstances(ctx, r.Client, s.task.Namespace, s.task.Instance())
}

// checkDependents returns a finding if other instances depend on this one, unless
// spec.uninstall.dependents is Uninstall.
func checkDependents(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	if s.instance == nil {
		return nil
	}
	dependents, err := admission.FindDependents(ctx, newOperation(r, s))
	if err != nil {
		return err
	}
	if s.task.Spec.UninstallsDependents() {
		addUninstallSubtasks(s, p, dependents)
		return nil
	}
	if len(dependents) == 0 {
		return nil
	}
	var said []string
	for _, d := range dependents {
		said = append(said, d.Name)
	}
	p.Add(outcome.Stalled(v1alpha1.ReasonHasDependents, fmt.Errorf(
		"other instances depend on app %q (%s); uninstall them first, or set spec.uninstall.dependents to Uninstall", s.instance.Spec.AppRef.Name, strings.Join(said, ", "))))
	return nil
}
