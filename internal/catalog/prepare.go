package catalog

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/release"
)

// Wish is what a tenant gives for an installation.
type Wish struct {
	// At is where the app is installed.
	At hydrate.Place
	// Values are the tenant's, all of them merged.
	Values map[string]any
	// Envs are the inputs that were given, by name.
	Envs map[string]string
	// Plain are the names of those that stand in an object for everyone to read who
	// may read that, and not in a Secret.
	Plain []string
	// Supplied are the inputs that the market and the tenant's namespace have for
	// every app that asks for one of the name.
	Supplied Supply
	// Credential is that of an app that was bought, empty otherwise.
	Credential string
	// Tenant is who asks the cluster for what templates look up.
	Tenant release.Tenant
	// Releases are the revisions to be; see hydrate.Request.
	Releases map[string]hydrate.ReleaseRevision
}

// Cluster answers what charts ask.
type Cluster interface {
	// Capabilities are what it serves.
	Capabilities(ctx context.Context) (*hydrate.Capabilities, error)
	// Lookup answers for a tenant what templates look up.
	Lookup(tenant release.Tenant) hydrate.Lookup
}

// Plan is what an installation comes to.
type Plan = hydrate.Prepared

// Prepare has a published version rendered with the tenant's values, in this order:
// chart, platform, tenant, inputs. The parameters of the market are in the published
// chart already. While inputs are wrong, nothing is rendered. What PrepareAhead has
// rendered for the same arguments is not rendered again.
func (c *Catalog) Prepare(ctx context.Context, app *App, version *v1alpha1.PublishedVersion, wish Wish) (*Plan, error) {
	p, err := c.preparation(ctx, app, version, wish)
	if err != nil {
		return nil, err
	}
	if key, err := keyOf(version.Digest, p, wish); err == nil {
		if plan := c.ahead.take(key); plan != nil {
			return plan, checkTerms(app, version, plan.Draft.License)
		}
	}
	return c.render(ctx, app, version, p)
}

func (c *Catalog) render(ctx context.Context, app *App, version *v1alpha1.PublishedVersion, p hydrate.Preparation) (*Plan, error) {
	plan, err := c.Worker.Prepare(ctx, p)
	if err != nil || len(plan.Wrong) > 0 {
		return plan, err
	}
	return plan, checkTerms(app, version, plan.Draft.License)
}
