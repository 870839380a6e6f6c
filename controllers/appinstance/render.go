package appinstance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/outcome"
)

// renderTarget renders the target for the revisions of its releases. Missing inputs are an error of
// the spec.
func (s *scope) renderTarget(ctx context.Context) (*hydrate.Draft, error) {
	rendered, err := s.target.plan.Render(ctx, s.target.revisions)
	if err != nil {
		return nil, err
	}
	if len(rendered.InputProblems) > 0 {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidSpec, errors.New(installplan.InputsMessage("spec", installplan.Inputs, rendered.InputProblems)))
	}
	return rendered.Draft, nil
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
func (s *scope) rendererFor(p plannedRelease, isLater bool) func(context.Context, hydrate.ReleaseRevision) (*hydrate.Rendered, error) {
	return func(ctx context.Context, revision hydrate.ReleaseRevision) (*hydrate.Rendered, error) {
		unit := p.unit
		if s.target.revisions[p.name] != revision || isLater && unit.Lookups > 0 {
			s.target.revisions[p.name] = revision
			draft, err := s.renderTarget(ctx)
			if err != nil {
				return nil, err
			}
			at := slices.IndexFunc(draft.Units, func(u hydrate.Unit) bool { return u.Name == unit.Name })
			if at < 0 {
				return nil, fmt.Errorf("render release %q: chart %q not found", p.name, unit.Name)
			}
			unit = draft.Units[at]
		}
		return &hydrate.Rendered{Documents: unit.Documents, Notes: unit.Notes, Release: unit.Release, Lookups: unit.Lookups}, nil
	}
}
