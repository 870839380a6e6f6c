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

// Cluster says what of a wish the cluster and the tenant do not satisfy.
type Cluster interface {
	Check(ctx context.Context, wish preflight.Wish) ([]preflight.Problem, error)
}

// Deployment is an install or an upgrade of a rendered app.
type Deployment struct {
	// Tenant is where it goes, and as whom.
	Tenant release.Tenant
	// DefaultAccount reports whether no service account is specified.
	DefaultAccount bool
	// Name is that of the instance.
	Name string
	// Instance is nil if there is none yet.
	Instance *v1alpha1.AppInstance
	// App is the app, and Draft its version as it is rendered for the instance.
	App   *v1alpha1.AppInfo
	Draft *hydrate.Draft
	// Upgrade reports whether another version is installed.
	Upgrade bool
}

// CheckDeployment compares what a rendered app asks for with what the cluster and the
// tenant have. An error is about the rendered app, if it has a reason.
func CheckDeployment(ctx context.Context, cluster Cluster, d Deployment) ([]preflight.Problem, error) {
	problems, err := cluster.Check(ctx, d.wish())
	if err != nil {
		return nil, fmt.Errorf("look at the cluster: %w", err)
	}
	return problems, nil
}

func (d *Deployment) wish() preflight.Wish {
	wish := preflight.Wish{
		Tenant: d.Tenant, DefaultAccount: d.DefaultAccount, Instance: d.Name, Replaces: d.Upgrade,
		Units:   preflight.Units(d.Draft, d.Tenant.Namespace),
		Moments: []string{"pre-install", "post-install"},
	}
	if d.Upgrade {
		wish.Moments = []string{"pre-upgrade", "post-upgrade"}
	}
	if d.Instance != nil {
		// What the version before had and this one has not is removed.
		wish.There, wish.Retained = Inventory(d.Instance), d.Instance.Status.Retained
		// What an install that failed has left is taken over.
		wish.Replaces = d.Upgrade || len(d.Instance.Status.Releases) > 0
	}
	for i, unit := range d.Draft.Units {
		wish.Units[i].Deployed = d.Upgrade && d.Instance != nil &&
			slices.ContainsFunc(d.Instance.Status.Releases, func(r v1alpha1.Release) bool { return r.Unit == unit.Dir })
	}
	wish.Describe(d.App)
	if hasSharedParts(d.App.Status.Summary) && !d.Draft.Manifest.Serves(d.Tenant.Namespace) {
		// What the manifest asks for is for the app with its shared parts.
		wish.CPU, wish.Memory = "", ""
	}
	return wish
}

func hasSharedParts(summary *v1alpha1.AppSummary) bool {
	return summary != nil && slices.ContainsFunc(summary.SubCharts, func(c v1alpha1.SubChart) bool { return c.Shared })
}

// Inventory are the objects of an instance that are listed in its status.
func Inventory(instance *v1alpha1.AppInstance) []v1alpha1.ObjectReference {
	if instance == nil || instance.Status.Inventory == nil {
		return nil
	}
	return instance.Status.Inventory.Objects
}
