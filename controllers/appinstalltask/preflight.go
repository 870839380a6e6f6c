package appinstalltask

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
)

// checkCluster checks the objects of the rendered app against the cluster and the
// permissions of the tenant. It is the last check, because it is the most expensive and
// requires that all inputs are given.
func checkCluster(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	if s.isActionRefused() {
		return nil
	}
	return admission.CheckRequirements(ctx, newOperation(r, s), &p.Findings)
}

// newOperation returns the operation of the task with the fields that are known so far.
func newOperation(r *Reconciler, s *scope) *admission.Operation {
	operation := &admission.Operation{
		Objects: r.Client, Catalog: r.Catalog, Profiles: r.Planner.Profiles, Cluster: r.Cluster, Tenants: r.Tenants,
		Tenant: s.tenant(), DefaultAccount: s.specifiedServiceAccount() == "", Name: s.task.Instance(), AppRef: s.task.Spec.AppRef,
		Instance: s.instance, App: s.app, Version: s.version,
		Upgrade: s.action.isUpgrade, InstallsDependencies: true, DetectsDrift: s.detectsDrift(), Inputs: s.resolveTaskInputs().References(),
	}
	if s.rendered != nil && len(s.rendered.InputProblems) == 0 {
		operation.Draft = s.rendered.Draft
	}
	return operation
}

// detectsDrift reports whether drift is detected after the task has written its instance, which a clone
// does if the cloned instance does.
func (s *scope) detectsDrift() bool {
	return admission.DetectsDrift(s.instance) || admission.DetectsDrift(s.cloneSource)
}

// isActionRefused reports whether the state of the instance does not allow the action. The check
// of the cluster is skipped in that case.
func (s *scope) isActionRefused() bool { return outcome.IsStalled(s.checkState()) }

// checkPermissions checks the permissions that the action requires for the objects of the
// instance and for the objects that the action adds.
func checkPermissions(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	var added *preview
	if s.action.preview != nil {
		added = s.action.preview(s)
	}
	if s.isActionRefused() || admission.InventoryObjects(s.instance) == nil && (added == nil || !added.adoptsObjects) {
		return nil
	}
	request := preflight.Request{
		Tenant: s.tenant(), DefaultAccount: s.specifiedServiceAccount() == "", Instance: s.task.Instance(), App: s.task.Spec.AppRef.Name,
		RightsOnly: true, Replaces: true, DetectsDrift: s.detectsDrift(), Existing: admission.InventoryObjects(s.instance),
	}
	if added != nil {
		if err := addPreflightObjects(ctx, r, s, &request, *added); err != nil {
			return err
		}
	}
	problems, err := r.Cluster.Check(ctx, request)
	if err != nil {
		return fmt.Errorf("check requirements: %w", err)
	}
	p.AddProblems(problems...)
	return nil
}

// addPreflightObjects adds the objects to a request that the inventory of the instance does not contain:
// hooks, the objects that a rollback restores, and the objects of a release to adopt. It
// renders the chart to find them, and skips them if the chart cannot be rendered.
func addPreflightObjects(ctx context.Context, r *Reconciler, s *scope, request *preflight.Request, added preview) error {
	if added.adoptsObjects {
		request.Adopted = []string{s.task.Instance()}
	}
	rendered, err := renderPreview(ctx, r, s, added.version)
	if outcome.Reason(err, "") != "" {
		return nil // The chart cannot be rendered.
	}
	if err != nil || rendered == nil {
		return err
	}
	draft := rendered.Draft
	if added.adoptsObjects {
		request.Existing, request.Adopted = toObjectReferences(draft.AllObjects()), releaseNames(draft)
		return nil
	}
	request.HookEvents = added.hookEvents
	for _, u := range preflight.UnitsOf(draft, s.task.Namespace) {
		request.Units = append(request.Units, u.FilterDocuments(added.restoresObjects, added.hookEvents...))
	}
	return nil
}

// releaseNames returns the names of the releases of a draft.
func releaseNames(draft *hydrate.Draft) []string {
	var names []string
	for _, unit := range draft.Units {
		names = append(names, hydrate.ReleaseName(draft.Request.At.Instance, draft.Chart.Name, unit.Name))
	}
	return names
}

// toObjectReferences returns the references of objects other than hooks.
func toObjectReferences(objects []objects.Object) []v1alpha1.ObjectReference {
	var all []v1alpha1.ObjectReference
	for _, o := range objects {
		if !o.Hook {
			all = append(all, v1alpha1.ObjectReference{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name})
		}
	}
	return all
}

// renderPreview renders a version with the values of the instance or, if it does not exist, of
// the task. It returns nil if inputs are missing. An error with a reason means that the
// version is not available or that its inputs cannot be read.
func renderPreview(ctx context.Context, r *Reconciler, s *scope, version string) (*hydrate.Prepared, error) {
	app, err := r.Catalog.Find(ctx, s.task.Spec.AppRef, s.task.Namespace)
	if err != nil {
		return nil, err
	}
	published, err := app.FindVersion(version, s.task.Spec.ParametersPath()+".version")
	if err != nil {
		return nil, err
	}
	planRequest := installplan.Request{
		App: app, Version: published, Tenant: s.tenant(), Instance: s.task.Instance(),
		Sources: s.resolveTaskInputs(), CredentialRef: s.credentialRef(), ValuePaths: s.valuePaths,
	}
	if s.instance != nil {
		planRequest.Sources, planRequest.CredentialRef = installplan.ValueSourcesFor(s.instance), s.instance.Spec.CredentialSecretRef
	}
	plan, err := r.Planner.Resolve(ctx, planRequest)
	if err != nil {
		return nil, err
	}
	rendered, err := plan.Render(ctx, nil)
	if err != nil || len(rendered.InputProblems) > 0 {
		return nil, err
	}
	return rendered, nil
}
