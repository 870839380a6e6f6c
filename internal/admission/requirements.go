package admission

import (
	"context"
	"fmt"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/preflight"
)

// CheckRequirements checks the requirements of the rendered app against the cluster and the
// permissions of the tenant. If the error has a reason, the rendered app is invalid.
func CheckRequirements(ctx context.Context, o *Operation, f *Findings) error {
	if o.Draft == nil {
		return nil
	}
	return checkRequest(ctx, o, f, o.toPreflightRequest())
}

// CheckPermissions checks only the permissions of the tenant. It is for an app that cannot be rendered as
// it would be installed, because the tenant may not read its inputs. Without a draft, it checks the
// permissions that every app requires.
func CheckPermissions(ctx context.Context, o *Operation, f *Findings) error {
	if o.Draft == nil {
		o.Draft = &hydrate.Draft{}
	}
	request := o.toPreflightRequest()
	request.RightsOnly = true
	return checkRequest(ctx, o, f, request)
}

func checkRequest(ctx context.Context, o *Operation, f *Findings, request preflight.Request) error {
	problems, err := o.Cluster.Check(ctx, request)
	if err != nil {
		return f.AddOrReturn(fmt.Errorf("check requirements: %w", err))
	}
	f.AddProblems(problems...)
	return nil
}

func (o *Operation) toPreflightRequest() preflight.Request {
	request := preflight.Request{
		Tenant: o.Tenant, DefaultAccount: o.DefaultAccount, Instance: o.Name, Replaces: o.Upgrade, DetectsDrift: o.DetectsDrift,
		Inputs:     o.Inputs,
		Units:      preflight.UnitsOf(o.Draft, o.Tenant.Namespace),
		HookEvents: []string{"pre-install", "post-install"},
	}
	if o.Upgrade {
		request.HookEvents = []string{"pre-upgrade", "post-upgrade"}
	}
	if o.Instance != nil {
		// An upgrade removes the objects that the new version does not have.
		request.Existing, request.Retained = InventoryObjects(o.Instance), o.Instance.Status.RetainedObjects
		// The objects of a failed install are reused.
		request.Replaces = o.Upgrade || len(o.Instance.Status.Releases) > 0
	}
	for i, unit := range o.Draft.Units {
		request.Units[i].Deployed = o.Upgrade && o.Instance != nil &&
			slices.ContainsFunc(o.Instance.Status.Releases, func(r v1alpha1.Release) bool { return r.Unit == unit.Dir })
	}
	request.SetAppRequirements(o.App.Info)
	if len(SharedChartNamespaces(o.summary())) > 0 && o.Draft.Manifest != nil && !o.Draft.Manifest.IsSharedIn(o.Tenant.Namespace) {
		// The resources in the manifest include the shared charts, which are already
		// installed.
		request.CPU, request.Memory = "", ""
	}
	return request
}
