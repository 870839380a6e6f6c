package hydrate

import (
	"context"
	"maps"
	"slices"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/values"
)

// Preparation specifies what to render for an installation.
type Preparation struct {
	// Request is the request for the app. The values of the tenant are merged into
	// Platform, and At, Cluster, Lookup and Releases are set.
	Request Request
	// Archive is the published chart.
	Archive []byte
	// Given contains the values of the inputs.
	Given GivenInputs
	// ValuePaths are paths of keys to describe in Prepared.ValuePaths.
	ValuePaths [][]string
	// IgnoresInputs renders the chart although inputs are missing or invalid.
	IgnoresInputs bool
	// AssumesPasswords renders the chart with a placeholder for each password that is missing, if all
	// other inputs are valid. The result must not be installed.
	AssumesPasswords bool
}

// GivenInputs contains the values of an installation's inputs by name.
type GivenInputs struct {
	// Values are the values from the tenant. Plain lists the names of values that are
	// stored in an object in plain text and not in a Secret.
	Values map[string]string
	Plain  []string
	// Supplied contains the values that are available to every app with an input of that
	// name. SuppliedPlain contains the names of the values that are stored in plain text.
	Supplied      map[string]string
	SuppliedPlain map[string]bool
	// Credential is the credential of a purchased app. It is empty for all other apps.
	Credential string
}

// Prepared is the result of preparing an installation.
type Prepared struct {
	// Draft contains the rendered units with their values. There are no units if Wrong is
	// not empty.
	Draft *Draft
	// InputProblems lists the inputs that are missing or invalid.
	InputProblems []inputs.Problem
	// AssumedInputs lists the missing passwords for which the units contain a placeholder.
	AssumedInputs []inputs.Problem
	// ValuePaths describes the paths of Preparation.ValuePaths. It is not set if InputProblems is
	// not empty.
	ValuePaths []ValuePath
}

// passwordPlaceholder is the placeholder for a missing password.
const passwordPlaceholder = "placeholder-for-a-password"

// credentialInput is the input through which a chart receives the credential of a purchased
// app. Users do not set it.
const credentialInput = "VERIFIABLE_CREDENTIAL"

// Prepare renders a published chart with values in this order of increasing precedence:
// chart, platform, tenant, inputs. The published chart already contains the parameters of
// the source. If an input is missing or invalid, nothing is rendered.
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
	manifest, err := render.ReadManifest(ctx, d)
	if err != nil {
		return nil, err
	}
	declared, _ := render.ReadInputs(d, manifest)
	known := p.Request.Platform
	checked, wrong := inputs.CheckInputs(declared, p.Given.valuesFor(declared), p.Given.suppliedFor(declared, known), p.Given.plainNames(declared)...)
	var assumed []inputs.Problem
	if p.AssumesPasswords && !slices.ContainsFunc(wrong, func(problem inputs.Problem) bool { return !problem.IsMissingPassword() }) {
		wrong, assumed = nil, wrong
		for _, problem := range assumed {
			checked[problem.Input.Name] = passwordPlaceholder
		}
	}
	if len(wrong) > 0 && !p.IgnoresInputs {
		d.Files, d.Manifest = nil, manifest
		return &Prepared{Draft: d, InputProblems: wrong}, nil
	}
	d.Request.Platform = values.Overlay(known, inputs.ChartValues(declared, checked, known))
	if err := render.Apply(ctx, d); err != nil {
		return nil, err
	}
	described := describeValuePaths(p.ValuePaths, d.Files, d.Units)
	d.Files = nil
	return &Prepared{Draft: d, AssumedInputs: assumed, ValuePaths: described}, nil
}

// valuesFor returns the inputs of the tenant, and the credential if the app has an input for
// it.
func (g GivenInputs) valuesFor(declared []inputs.Input) map[string]string {
	given := maps.Clone(g.Values)
	isDeclared := slices.ContainsFunc(declared, func(in inputs.Input) bool { return in.Name == credentialInput })
	if isDeclared && g.Credential != "" {
		if given == nil {
			given = map[string]string{}
		}
		given[credentialInput] = g.Credential
	}
	return given
}

// suppliedFor returns the inputs that the tenant does not have to give. The values of the
// platform and the tenant override the inputs that are available to every app.
func (g GivenInputs) suppliedFor(declared []inputs.Input, known map[string]any) map[string]string {
	supplied := maps.Clone(g.Supplied)
	if supplied == nil {
		supplied = map[string]string{}
	}
	maps.Copy(supplied, inputs.SuppliedTexts(declared, known))
	return supplied
}

// plainNames returns the names of the inputs whose values are stored in plain text: given ones,
// and those supplied to every app that are not given.
func (g GivenInputs) plainNames(inputs []inputs.Input) []string {
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
