package installplan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/values"
)

// Plan is the plan of one installation. It is for a single goroutine.
type Plan struct {
	Request

	settings settings
	planner  *Planner
	client   client.Client // acts as the tenant
	// isComplete reports whether the supplied inputs and the credential were read.
	isComplete bool
}

// settings contains what a chart is rendered with.
type settings struct {
	// values are the merged values of the tenant.
	values map[string]any
	// inputs are the given inputs by name, and plain the names of the inputs that are stored
	// in an object in plain text and not in a Secret.
	inputs map[string]string
	plain  []string
	// supplied contains the inputs that the source and the tenant's namespace supply to every
	// app with an input of that name.
	supplied suppliedInputs
	// credential is the credential of a purchased app. It is empty for all other apps.
	credential string
}

// ValuesDigest returns the digest of the values and the inputs of the tenant. It excludes the
// values of the platform and the supplied inputs, so that changing them does not restart
// instances. It includes the UID of the instance, so that a short secret cannot be found by
// comparing digests.
func (p *Plan) ValuesDigest(instance types.UID) (string, error) {
	text, err := json.Marshal([]any{instance, p.settings.values, p.settings.inputs})
	if err != nil {
		return "", fmt.Errorf("encode values: %w", err)
	}
	return chart.Digest(text), nil
}

// ListValuePaths returns the paths of the values of the tenant; see values.ListPaths.
func (p *Plan) ListValuePaths() [][]string { return values.ListPaths(p.settings.values) }

// Render returns the rendered releases, or the problems with the inputs. The releases are the
// revisions that the installation creates; see hydrate.Request. The values are, in order of
// increasing precedence: chart, platform, tenant, inputs. The published chart already contains
// the parameters of the source. If an input is missing or invalid, nothing is rendered. The
// first call of Render or RenderAhead reads the supplied inputs and the credential. Render
// returns the result of RenderAhead for the same plan if there is one.
func (p *Plan) Render(ctx context.Context, releases map[string]hydrate.ReleaseRevision) (*hydrate.Prepared, error) {
	order, key, err := p.newPreparation(ctx, releases)
	if err != nil {
		return nil, err
	}
	if rendered := p.planner.cachedPlans.takePlan(key); rendered != nil {
		return rendered, checkTerms(p.App, p.Version, rendered.Draft.License)
	}
	return p.runWorker(ctx, order)
}

// RenderAhead works like Render, for an installation that is about to start. The result is kept
// for the next call of Render of an equal plan, unless templates looked up objects of the
// cluster.
func (p *Plan) RenderAhead(ctx context.Context) (*hydrate.Prepared, error) {
	order, key, err := p.newPreparation(ctx, nil)
	if err != nil {
		return nil, err
	}
	rendered, err := p.runWorker(ctx, order)
	if err != nil || len(rendered.InputProblems) > 0 || len(rendered.AssumedInputs) > 0 {
		return rendered, err
	}
	p.planner.cachedPlans.addPlan(key, rendered)
	return rendered, nil
}

// readError is an error of reading an input or a credential.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

// IsReadError reports whether an error of Render is about an input or a credential that cannot be
// read, and not about the chart.
func IsReadError(err error) bool {
	_, ok := errors.AsType[readError](err)
	return ok
}

// addSupplied reads the supplied inputs and the credential, once.
func (p *Plan) addSupplied(ctx context.Context) error {
	if p.isComplete {
		return nil
	}
	supplied, err := p.planner.readSuppliedInputs(ctx, p.client, p.Tenant, p.App)
	if err != nil {
		return readError{err}
	}
	credential, err := p.resolveCredential(ctx)
	if err != nil {
		return readError{err}
	}
	p.settings.supplied, p.settings.credential, p.isComplete = supplied, credential, true
	return nil
}

// runWorker renders the chart in a worker, and adds the objects for the addresses of entrances.
func (p *Plan) runWorker(ctx context.Context, order hydrate.Preparation) (*hydrate.Prepared, error) {
	rendered, err := p.planner.Worker.Prepare(ctx, order)
	if err != nil || len(rendered.InputProblems) > 0 {
		return rendered, err
	}
	if err := checkTerms(p.App, p.Version, rendered.Draft.License); err != nil {
		return rendered, err
	}
	return rendered, p.planner.Addresses.AddObjects(rendered.Draft)
}
