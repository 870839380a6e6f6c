package catalog

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
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
// chart already. While inputs are wrong, nothing is rendered.
func (c *Catalog) Prepare(ctx context.Context, app *App, version *v1alpha1.PublishedVersion, wish Wish) (*Plan, error) {
	profile, platform, err := c.Profiles.Of(app.Source)
	if err != nil {
		return nil, err
	}
	archive, err := c.Archives.Archive(version.Digest)
	if err != nil {
		return nil, outcome.Failed(v1alpha1.ReasonChartMissing, fmt.Errorf("open chart %s-%s: %w", app.Info.Spec.App, version.Version, err))
	}
	request := hydrate.Request{
		Owner:    hydrate.Owner{Namespace: app.Source.Namespace, Source: app.Source.Name},
		App:      app.Info.Spec.App,
		Profile:  profile,
		Platform: hydrate.Overlay(platform, wish.Values),
		At:       wish.At,
		Releases: wish.Releases,
	}
	if c.Cluster != nil {
		if request.Cluster, err = c.Cluster.Capabilities(ctx); err != nil {
			return nil, err
		}
		request.Lookup = c.Cluster.Lookup(wish.Tenant)
	}
	plan, err := c.Worker.Prepare(ctx, hydrate.Preparation{
		Request: request, Archive: archive,
		Given: hydrate.GivenInputs{
			Values: wish.Envs, Plain: wish.Plain, Supplied: wish.Supplied.Texts, SuppliedPlain: wish.Supplied.Plain, Credential: wish.Credential,
		},
	})
	if err != nil || len(plan.Wrong) > 0 {
		return plan, err
	}
	return plan, checkTerms(app, version, plan.Draft.License)
}
