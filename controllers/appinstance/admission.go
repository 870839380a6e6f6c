package appinstance

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/admission"
)

// checkAdmission checks an install or upgrade against the cluster before it starts, as a task is
// checked before it writes its instance. The instance waits for problems that may resolve
// themselves.
func (r *Reconciler) checkAdmission(ctx context.Context, s *scope, operation v1alpha1.Operation, draft *hydrate.Draft) error {
	if s.isAdmitted(operation) {
		return nil
	}
	findings := &admission.Findings{}
	problems, err := admission.CheckDeployment(ctx, r.Cluster, admission.Deployment{
		Tenant: s.tenant, DefaultAccount: s.instance.Spec.ServiceAccountName == "",
		Name: s.instance.Name, Instance: s.instance, App: s.app.Info, Draft: draft,
		Upgrade: operation.Type == v1alpha1.OperationUpgrade,
	})
	if err = findings.AddOrReturn(err); err != nil {
		return err
	}
	findings.AddProblems(s.admissionInterval(time.Now()), problems...)
	s.instance.Status.Preflight = findings.ToProblems()
	return findings.ToError(0)
}

// isAdmitted reports whether an operation was already checked, by the task that requests it
// or before it was interrupted. Only installs and upgrades are checked.
func (s *scope) isAdmitted(operation v1alpha1.Operation) bool {
	if !operationKinds[operation.Type].needsAdmission {
		return true
	}
	return isReconcileRequested(s.instance) && requestingTask(s.instance) != "" || hasBeenInterrupted(s.instance, operation)
}

// The bounds of the interval between two checks of a waiting instance. The interval grows
// with the waiting time, because objects that are applied together with the instance appear
// soon.
const minAdmissionInterval, maxAdmissionInterval = 10 * time.Second, externalInterval

// admissionInterval returns the time until a waiting instance is checked again: half of the
// time that it has waited, within the bounds.
func (s *scope) admissionInterval(now time.Time) time.Duration {
	c := meta.FindStatusCondition(s.instance.Status.Conditions, v1alpha1.ConditionReconciling)
	if c == nil || c.ObservedGeneration != s.instance.Generation {
		return minAdmissionInterval
	}
	return min(max(now.Sub(c.LastTransitionTime.Time)/2, minAdmissionInterval), maxAdmissionInterval)
}
