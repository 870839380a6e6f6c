package appinstance

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/taskrecord"
)

// admitOperation renders the target and checks the operation before it starts, as a task is
// checked before it writes its instance. All findings are reported together. The instance waits
// for problems that may resolve themselves.
func admitOperation(ctx context.Context, r *Reconciler, s *scope, operation v1alpha1.Operation) (*hydrate.Draft, error) {
	if admitted, err := isAdmitted(ctx, r, s, operation); err != nil {
		return nil, err
	} else if admitted {
		return s.renderTarget(ctx)
	}
	checked, found := newAdmissionOperation(r, s, operation), newFindings(s)
	if err := admission.RunChecks(ctx, checked, found, operationKinds[operation.Type].checks...); err != nil {
		return nil, err
	}
	draft, err := s.renderTarget(ctx)
	if err := found.AddOrReturn(err); err != nil {
		return nil, err
	}
	checked.Draft = draft
	if err := admission.CheckRequirements(ctx, checked, found); err != nil {
		return nil, err
	}
	s.instance.Status.Preflight = found.ToProblems()
	return draft, unmetError(found)
}

// admitAdoption checks an adoption before it starts, as a task is checked before it writes its
// instance.
func admitAdoption(ctx context.Context, r *Reconciler, s *scope, operation v1alpha1.Operation) error {
	if admitted, err := isAdmitted(ctx, r, s, operation); err != nil || admitted {
		return err
	}
	found := newFindings(s)
	if err := admission.RunChecks(ctx, newAdmissionOperation(r, s, operation), found, operationKinds[operation.Type].checks...); err != nil {
		return err
	}
	s.instance.Status.Preflight = found.ToProblems()
	return unmetError(found)
}

// newFindings returns findings that wait for unmet requirements.
func newFindings(s *scope) *admission.Findings {
	return &admission.Findings{WaitsForUnmet: true, Interval: admission.CheckInterval(s.instance, time.Now())}
}

// isAdmitted reports whether an operation was already checked, by the task that requests it
// or before it was interrupted, or needs no check.
func isAdmitted(ctx context.Context, r *Reconciler, s *scope, operation v1alpha1.Operation) (bool, error) {
	if len(operationKinds[operation.Type].checks) == 0 || hasBeenInterrupted(s.instance, operation) {
		return true, nil
	}
	return isAdmittedByTask(ctx, r, s.instance)
}

// isAdmittedByTask reports whether a task that is not finished was admitted for the current spec
// and requests the operation. Users can forge annotations, so the record must have a valid code.
// They can also copy an earlier record, so the task must exist and not be finished.
func isAdmittedByTask(ctx context.Context, r *Reconciler, instance *v1alpha1.AppInstance) (bool, error) {
	record := requestingTask(instance)
	if !isReconcileRequested(instance) || record.Task == "" {
		return false, nil
	}
	if valid, err := taskrecord.HasValidCode(instance, record); err != nil || !valid {
		return false, err
	}
	task := &v1alpha1.AppInstallTask{}
	if err := r.Get(ctx, types.NamespacedName{Namespace: instance.Namespace, Name: record.Task}, task); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return string(task.UID) == record.UID && !task.Finished(), nil
}

// newAdmissionOperation returns what is known of an operation before its target is rendered.
func newAdmissionOperation(r *Reconciler, s *scope, operation v1alpha1.Operation) *admission.Operation {
	return &admission.Operation{
		Objects: r.Client, Catalog: r.Catalog, Profiles: r.Planner.Profiles, Cluster: r.Cluster, Tenants: r.Tenants,
		Tenant: s.tenant, DefaultAccount: s.instance.Spec.ServiceAccountName == "",
		Name: s.instance.Name, AppRef: s.instance.Spec.AppRef, Instance: s.instance,
		App: s.target.app, Version: s.target.version, Upgrade: operation.Type == v1alpha1.OperationUpgrade,
		DetectsDrift: admission.DetectsDrift(s.instance), Inputs: installplan.ValueSourcesFor(s.instance).References(),
	}
}

// unmetError returns the findings as one error. While the instance waits for them, the Resolved
// condition is False with their reason.
func unmetError(found *admission.Findings) error {
	return status.ForUnmetCondition(v1alpha1.ConditionResolved, limitExternalWait(found.ToError(0)))
}
