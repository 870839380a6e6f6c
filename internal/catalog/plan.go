package catalog

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/release"
)

// Request contains the settings of a tenant for an installation.
type Request struct {
	// At is the place where the app is installed.
	At hydrate.InstallTarget
	// Values are the merged values of the tenant.
	Values map[string]any
	// Envs are the given inputs by name.
	Envs map[string]string
	// Plain lists the names of inputs that are stored in an object in plain text and not in
	// a Secret.
	Plain []string
	// Defaults contains the inputs that the source and the tenant's namespace supply to
	// every app with an input of that name.
	Defaults DefaultInputs
	// Credential is the credential of a purchased app. It is empty for all other apps.
	Credential string
	// Tenant is the account that looks up objects for templates.
	Tenant release.Tenant
	// Releases are the revisions that the installation creates; see hydrate.Request.
	Releases map[string]hydrate.ReleaseRevision
}

// Cluster answers the queries of charts.
type Cluster interface {
	// Capabilities returns the version and the API versions of the cluster.
	Capabilities(ctx context.Context) (*hydrate.Capabilities, error)
	// Lookup returns a function that looks up objects with the permissions of a tenant.
	Lookup(tenant release.Tenant) hydrate.Lookup
}

// Plan contains the rendered releases of an installation, or the problems with its inputs.
type Plan = hydrate.Prepared

// Prepare renders a published version with values in this order of increasing precedence:
// chart, platform, tenant, inputs. The published chart already contains the parameters of
// the source. If an input is missing or invalid, nothing is rendered. Prepare returns the
// result of PrepareAhead for the same arguments if there is one.
func (c *Catalog) Prepare(ctx context.Context, app *App, version *v1alpha1.PublishedVersion, wish Request) (*Plan, error) {
	p, err := c.newPreparation(ctx, app, version, wish)
	if err != nil {
		return nil, err
	}
	if key, err := planKey(version.Digest, p, wish); err == nil {
		if plan := c.cachedPlans.takePlan(key); plan != nil {
			return plan, checkTerms(app, version, plan.Draft.License)
		}
	}
	return c.renderPlan(ctx, app, version, p)
}

func (c *Catalog) renderPlan(ctx context.Context, app *App, version *v1alpha1.PublishedVersion, p hydrate.Preparation) (*Plan, error) {
	plan, err := c.Worker.Prepare(ctx, p)
	if err != nil || len(plan.InputProblems) > 0 {
		return plan, err
	}
	return plan, checkTerms(app, version, plan.Draft.License)
}
