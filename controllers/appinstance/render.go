package appinstance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
)

// prepareTarget renders the target. Missing inputs are an error of the spec.
func (r *Reconciler) prepareTarget(ctx context.Context, s *scope) (*hydrate.Draft, error) {
	if err := r.addDefaultInputs(ctx, s); err != nil {
		return nil, err
	}
	s.target.valuesRequest.Releases = s.nextReleaseRevisions()
	return r.renderTarget(ctx, s)
}

func (r *Reconciler) renderTarget(ctx context.Context, s *scope) (*hydrate.Draft, error) {
	plan, err := r.Catalog.Prepare(ctx, s.target.app, s.target.version, s.target.valuesRequest)
	if err != nil {
		return nil, err
	}
	if len(plan.InputProblems) > 0 {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidSpec, errors.New(catalog.InputsMessage(catalog.Inputs, plan.InputProblems)))
	}
	return plan.Draft, nil
}

// nextReleaseRevisions returns the next revision of each known release, without reading the releases.
func (s *scope) nextReleaseRevisions() map[string]hydrate.ReleaseRevision {
	next := map[string]hydrate.ReleaseRevision{}
	for _, known := range s.instance.Status.Releases {
		if known.Revision > 0 && s.instance.Status.Revision > 0 {
			next[known.Name] = hydrate.ReleaseRevision{Upgrade: true, Number: int(known.Revision) + 1}
		}
	}
	return next
}

// rendererFor returns a function that returns the rendered unit of a release. It renders the
// unit again if the revision differs from the expected one, or if its templates look up
// objects, which may include objects of an earlier release of the app.
func (r *Reconciler) rendererFor(s *scope, p plannedRelease, isLater bool) func(context.Context, hydrate.ReleaseRevision) (*hydrate.Rendered, error) {
	return func(ctx context.Context, revision hydrate.ReleaseRevision) (*hydrate.Rendered, error) {
		unit := p.unit
		if s.target.valuesRequest.Releases[p.name] != revision || isLater && unit.Lookups > 0 {
			s.target.valuesRequest.Releases[p.name] = revision
			draft, err := r.renderTarget(ctx, s)
			if err != nil {
				return nil, err
			}
			at := slices.IndexFunc(draft.Units, func(u hydrate.Unit) bool { return u.Name == unit.Name })
			if at < 0 {
				return nil, fmt.Errorf("render release %s: its app has no chart %s any more", p.name, unit.Name)
			}
			unit = draft.Units[at]
		}
		return &hydrate.Rendered{Documents: unit.Documents, Notes: unit.Notes, Release: unit.Release, Lookups: unit.Lookups}, nil
	}
}
