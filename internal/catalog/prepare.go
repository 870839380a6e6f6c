package catalog

import (
	"context"
	"fmt"
	"maps"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// Wish is what a tenant gives for an installation.
type Wish struct {
	// Values are the tenant's, all of them merged.
	Values map[string]any
	// Envs are the inputs that were given, by name.
	Envs map[string]string
}

// Plan is what an installation comes to.
type Plan struct {
	// Draft holds the chart's files and its units with their values and what they
	// render to.
	Draft *hydrate.Draft
	// Wrong are the inputs that are missing or do not fit.
	Wrong []hydrate.InputProblem
}

// Inputs reads what a published version asks of the person who installs it, and
// what of it is missing or wrong.
func (c *Catalog) Inputs(ctx context.Context, app *App, version *v1alpha1.PublishedVersion, wish Wish) ([]hydrate.InputProblem, error) {
	draft, err := c.open(app, version, wish.Values)
	if err != nil {
		return nil, err
	}
	manifest, err := c.Render.Manifest(ctx, draft)
	if err != nil || manifest == nil {
		return unknownInputs(wish), err
	}
	_, wrong := hydrate.CheckInputs(manifest.Inputs, wish.Envs, supplied(draft.Request))
	return wrong, nil
}

// Prepare renders a published version with the tenant's values, in this order:
// chart, platform, tenant, inputs. The parameters of the market are in the
// published chart already.
func (c *Catalog) Prepare(ctx context.Context, app *App, version *v1alpha1.PublishedVersion, wish Wish) (*Plan, error) {
	draft, err := c.open(app, version, wish.Values)
	if err != nil {
		return nil, err
	}
	manifest, err := c.Render.Manifest(ctx, draft)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Draft: draft, Wrong: unknownInputs(wish)}
	if manifest != nil {
		var envs map[string]any
		envs, plan.Wrong = hydrate.CheckInputs(manifest.Inputs, wish.Envs, supplied(draft.Request))
		draft.Request.Platform = hydrate.Overlay(draft.Request.Platform, map[string]any{envValues: envs})
	}
	if len(plan.Wrong) > 0 {
		return plan, nil
	}
	return plan, c.Render.Apply(ctx, draft)
}

// open unpacks a published chart.
func (c *Catalog) open(app *App, version *v1alpha1.PublishedVersion, values map[string]any) (*hydrate.Draft, error) {
	profile, platform, err := c.Profiles.Of(app.Source)
	if err != nil {
		return nil, err
	}
	archive, err := c.Archives.Archive(version.Digest)
	if err != nil {
		return nil, outcome.Failed(v1alpha1.ReasonChartMissing, fmt.Errorf("open chart %s-%s: %w", app.Info.Spec.App, version.Version, err))
	}
	files, err := hydrate.Unpack(archive)
	if err != nil {
		return nil, err
	}
	meta, err := hydrate.ReadMetadata(files)
	if err != nil {
		return nil, err
	}
	return &hydrate.Draft{
		Request: hydrate.Request{
			Owner:    hydrate.Owner{Namespace: app.Source.Namespace, Source: app.Source.Name},
			App:      app.Info.Spec.App,
			Profile:  profile,
			Platform: hydrate.Overlay(platform, values),
		},
		Files: files,
		Chart: meta,
	}, nil
}

// envValues is where charts read the inputs of their manifest.
const envValues = "olaresEnv"

// supplied are the inputs that the platform and the tenant's values give.
func supplied(r hydrate.Request) map[string]string {
	given := map[string]string{}
	if envs, ok := r.Platform[envValues].(map[string]any); ok {
		for name, value := range envs {
			if value != nil {
				given[name] = fmt.Sprint(value)
			}
		}
	}
	return given
}

// unknownInputs reports every input that was given to an app that asks for none.
func unknownInputs(wish Wish) []hydrate.InputProblem {
	_, wrong := hydrate.CheckInputs(nil, maps.Clone(wish.Envs), nil)
	return wrong
}
