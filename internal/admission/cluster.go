package admission

import (
	"context"
	"fmt"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

// Cluster returns the requirements of a wish that the cluster or the permissions of the
// tenant do not satisfy.
type Cluster interface {
	Check(ctx context.Context, wish preflight.Request) ([]preflight.Problem, error)
}

// Deployment is an install or an upgrade of a rendered app.
type Deployment struct {
	// Tenant is the namespace and the service account of the deployment.
	Tenant release.Tenant
	// DefaultAccount reports whether no service account is specified.
	DefaultAccount bool
	// Name is the name of the instance.
	Name string
	// Instance is nil if it does not exist yet.
	Instance *v1alpha1.AppInstance
	// App is the app, and Draft the version as rendered for the instance.
	App   *v1alpha1.AppInfo
	Draft *hydrate.Draft
	// Upgrade reports whether a release is installed and is upgraded.
	Upgrade bool
}

// CheckDeployment checks the requirements of a rendered app against the cluster and the
// permissions of the tenant. If the error has a reason, the rendered app is invalid.
func CheckDeployment(ctx context.Context, cluster Cluster, d Deployment) ([]preflight.Problem, error) {
	problems, err := cluster.Check(ctx, d.toPreflightRequest())
	if err != nil {
		return nil, fmt.Errorf("look at the cluster: %w", err)
	}
	return problems, nil
}

func (d *Deployment) toPreflightRequest() preflight.Request {
	wish := preflight.Request{
		Tenant: d.Tenant, DefaultAccount: d.DefaultAccount, Instance: d.Name, Replaces: d.Upgrade,
		Units:      preflight.UnitsOf(d.Draft, d.Tenant.Namespace),
		HookEvents: []string{"pre-install", "post-install"},
	}
	if d.Upgrade {
		wish.HookEvents = []string{"pre-upgrade", "post-upgrade"}
	}
	if d.Instance != nil {
		// An upgrade removes the objects that the new version does not have.
		wish.Existing, wish.Retained = InventoryObjects(d.Instance), d.Instance.Status.RetainedObjects
		// The objects of a failed install are reused.
		wish.Replaces = d.Upgrade || len(d.Instance.Status.Releases) > 0
	}
	for i, unit := range d.Draft.Units {
		wish.Units[i].Deployed = d.Upgrade && d.Instance != nil &&
			slices.ContainsFunc(d.Instance.Status.Releases, func(r v1alpha1.Release) bool { return r.Unit == unit.Dir })
	}
	wish.SetAppRequirements(d.App)
	if hasSharedCharts(d.App.Status.Summary) && !d.Draft.Manifest.IsSharedIn(d.Tenant.Namespace) {
		// The resources in the manifest include the shared charts, which are already
		// installed.
		wish.CPU, wish.Memory = "", ""
	}
	return wish
}

func hasSharedCharts(summary *v1alpha1.AppSummary) bool {
	return summary != nil && slices.ContainsFunc(summary.SubCharts, func(c v1alpha1.SubChart) bool { return c.Shared })
}

// InventoryObjects returns the objects in the inventory of an instance. The inventory may be
// truncated.
func InventoryObjects(instance *v1alpha1.AppInstance) []v1alpha1.ObjectReference {
	if instance == nil || instance.Status.Inventory == nil {
		return nil
	}
	return instance.Status.Inventory.Objects
}
