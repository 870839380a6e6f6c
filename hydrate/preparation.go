package hydrate

import (
	"context"
	"maps"
	"slices"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/values"
)

// Preparation says what to render for an installation.
type Preparation struct {
	// Request is that of the app: its Platform has the values of the tenant merged in,
	// and At, Cluster, Lookup and Releases are set.
	Request Request
	// Archive is the published chart.
	Archive []byte
	// Given are the inputs.
	Given GivenInputs
}

// GivenInputs are the inputs of an installation, by name.
type GivenInputs struct {
	// Values were given by the tenant. Plain are the names of those that stand in an
	// object for everyone to read who may read that, and not in a Secret.
	Values map[string]string
	Plain  []string
	// Supplied are there for every app that asks for one of the name, SuppliedPlain
	// those of them that stand in an object.
	Supplied      map[string]string
	SuppliedPlain map[string]bool
	// Credential is that of an app that was bought, empty otherwise.
	Credential string
}

// Prepared is what an installation comes to.
type Prepared struct {
	// Draft has the units with their values and what they render to; they are missing
	// while an input is wrong.
	Draft *Draft
	// Wrong are the inputs that are missing or do not fit.
	Wrong []inputs.Problem
}

// credentialInput is the input by which a chart gets the credential of an app that was
// bought. Nobody gives it by hand.
const credentialInput = "VERIFIABLE_CREDENTIAL"

// Prepare renders with values in this order: chart, platform, tenant, inputs. The
// parameters of the market are in the published chart already. While inputs are wrong,
// nothing is rendered.
func (w InProcess) Prepare(ctx context.Context, p Preparation) (*Prepared, error) {
	files, err := chart.Unpack(p.Archive)
	if err != nil {
		return nil, err
	}
	d := &Draft{Request: p.Request, Files: files, FileCount: len(files)}
	if d.Chart, err = chart.ReadMetadata(files); err != nil {
		return nil, err
	}
	render := RenderedChart{Renderer: w.Renderer, Reader: w.Reader}
	manifest, err := render.Manifest(ctx, d)
	if err != nil {
		return nil, err
	}
	declared, _ := render.Inputs(d, manifest)
	known := p.Request.Platform
	checked, wrong := inputs.CheckInputs(declared, p.Given.values(declared), p.Given.supplied(declared, known), p.Given.plain(declared)...)
	if len(wrong) > 0 {
		d.Files, d.Manifest = nil, manifest
		return &Prepared{Draft: d, Wrong: wrong}, nil
	}
	d.Request.Platform = values.Overlay(known, inputs.Values(declared, checked, known))
	if err := render.Apply(ctx, d); err != nil {
		return nil, err
	}
	d.Files = nil
	return &Prepared{Draft: d}, nil
}

// values are the inputs of the tenant, and the credential where the app asks for it.
func (g GivenInputs) values(declared []inputs.Input) map[string]string {
	given := maps.Clone(g.Values)
	asked := slices.ContainsFunc(declared, func(in inputs.Input) bool { return in.Name == credentialInput })
	if asked && g.Credential != "" {
		if given == nil {
			given = map[string]string{}
		}
		given[credentialInput] = g.Credential
	}
	return given
}

// supplied are the inputs that need not be given. What the values of platform and
// tenant say counts more than what is there for every app.
func (g GivenInputs) supplied(declared []inputs.Input, known map[string]any) map[string]string {
	supplied := maps.Clone(g.Supplied)
	if supplied == nil {
		supplied = map[string]string{}
	}
	maps.Copy(supplied, inputs.Supplied(declared, known))
	return supplied
}

// plain are the names of the inputs whose text anybody may read: of those that were
// given, and of those that are there for every app and were not given.
func (g GivenInputs) plain(inputs []inputs.Input) []string {
	plain := slices.Clone(g.Plain)
	for _, in := range inputs {
		source := in.Name
		if in.From != "" && g.Supplied[in.From] != "" {
			source = in.From
		}
		if _, given := g.Values[in.Name]; !given && g.SuppliedPlain[source] {
			plain = append(plain, in.Name)
		}
	}
	return plain
}
