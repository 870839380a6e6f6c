package catalog

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
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
}

// Plan is what an installation comes to.
type Plan struct {
	// Draft holds the chart's files and its units with their values and what they
	// render to; the units are missing while anything is wrong.
	Draft *hydrate.Draft
	// Wrong are the inputs that are missing or do not fit.
	Wrong []hydrate.InputProblem
}

// credentialInput is the input by which a chart gets the credential of an app that
// was bought. Nobody gives it by hand.
const credentialInput = "VERIFIABLE_CREDENTIAL"

// Prepare renders a published version with the tenant's values, in this order:
// chart, platform, tenant, inputs. The parameters of the market are in the
// published chart already. While inputs are wrong, nothing is rendered.
func (c *Catalog) Prepare(ctx context.Context, app *App, version *v1alpha1.PublishedVersion, wish Wish) (*Plan, error) {
	draft, err := c.open(app, version, wish.Values)
	if err != nil {
		return nil, err
	}
	draft.Request.At = wish.At
	manifest, err := c.Render.Manifest(ctx, draft)
	if err != nil {
		return nil, err
	}
	inputs, _ := c.Render.Inputs(draft, manifest)
	known := draft.Request.Platform
	checked, wrong := hydrate.CheckInputs(inputs, wish.given(inputs), wish.supplied(inputs, known), wish.plain(inputs)...)
	plan := &Plan{Draft: draft, Wrong: wrong}
	if len(wrong) > 0 {
		return plan, nil
	}
	draft.Request.Platform = hydrate.Overlay(known, hydrate.InputValues(inputs, checked, known))
	if err := c.Render.Apply(ctx, draft); err != nil {
		return plan, err
	}
	return plan, checkTerms(app, version, draft.License)
}

// given are the inputs of the tenant, and the credential where the app asks for it.
func (w Wish) given(inputs []hydrate.Input) map[string]string {
	given := maps.Clone(w.Envs)
	asked := slices.ContainsFunc(inputs, func(in hydrate.Input) bool { return in.Name == credentialInput })
	if asked && w.Credential != "" {
		if given == nil {
			given = map[string]string{}
		}
		given[credentialInput] = w.Credential
	}
	return given
}

// supplied are the inputs that need not be given. What the values of platform and
// tenant say counts more than what is there for every app.
func (w Wish) supplied(inputs []hydrate.Input, known map[string]any) map[string]string {
	supplied := maps.Clone(w.Supplied.Texts)
	if supplied == nil {
		supplied = map[string]string{}
	}
	maps.Copy(supplied, hydrate.SuppliedInputs(inputs, known))
	return supplied
}

// plain are the names of the inputs whose text anybody may read: of those that were
// given, and of those that are there for every app and were not given.
func (w Wish) plain(inputs []hydrate.Input) []string {
	plain := slices.Clone(w.Plain)
	for _, in := range inputs {
		source := in.Name
		if in.From != "" && w.Supplied.Texts[in.From] != "" {
			source = in.From
		}
		if _, given := w.Envs[in.Name]; !given && w.Supplied.Plain[source] {
			plain = append(plain, in.Name)
		}
	}
	return plain
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
