package appinstalltask

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/outcome"
)

// checkSingletonAgain checks, immediately before the task writes its instance, that no other instance
// of an app that can be installed once in a cluster exists. It reads from the API server: of two
// tasks that are admitted at the same time, neither sees the instance of the other in the cache.
func checkSingletonAgain(ctx context.Context, r *Reconciler, s *scope) error {
	operation, p := newOperation(r, s), newTaskFindings(s.task, time.Now())
	operation.Objects = r.Live
	if err := admission.CheckClusterSingleton(ctx, operation, &p.Findings); err != nil || p.Len() == 0 {
		return err
	}
	s.task.Status.Preflight = p.ToProblems()
	return rejectAdmission(ctx, r, s, p.toError(s.task))
}

// checkSingletonUsers returns a finding if instances in other namespaces depend on this one, unless
// spec.uninstall.dependents is Uninstall. It does not reveal them to a service account that may not
// administer the instance.
func checkSingletonUsers(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	if s.instance == nil {
		return nil
	}
	users, err := admission.FindSingletonUsers(ctx, newOperation(r, s))
	if err != nil || len(users) == 0 {
		return err
	}
	app := s.instance.Spec.AppRef.Name
	visible, err := admission.HasInstancePermission(ctx, r.Tenants, s.tenant(), admission.AdministerVerb, client.ObjectKeyFromObject(s.instance))
	switch {
	case err != nil:
		return err
	case !visible:
		p.Add(outcome.Stalled(v1alpha1.ReasonHasDependents, fmt.Errorf(
			"instances in other namespaces depend on app %q; ask a cluster administrator to uninstall it", app)))
	case s.task.Spec.UninstallsDependents():
		addUninstallSubtasks(s, p, users)
	default:
		p.Add(outcome.Stalled(v1alpha1.ReasonHasDependents, fmt.Errorf(
			"instances in other namespaces depend on app %q (%s); uninstall them first, or set spec.uninstall.dependents to Uninstall", app, formatInstances(users))))
	}
	return nil
}
