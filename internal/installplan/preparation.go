package installplan

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/values"
)

// newPreparation returns the order for a worker, and the key of its result.
func (p *Plan) newPreparation(ctx context.Context, releases map[string]hydrate.ReleaseRevision) (hydrate.Preparation, string, error) {
	order, err := p.buildPreparation(ctx, releases)
	if err != nil {
		return hydrate.Preparation{}, "", err
	}
	key, err := preparationKey(p.Version.Digest, order, p.Tenant)
	return order, key, err
}

func (p *Plan) buildPreparation(ctx context.Context, releases map[string]hydrate.ReleaseRevision) (hydrate.Preparation, error) {
	if err := p.addSupplied(ctx); err != nil {
		return hydrate.Preparation{}, err
	}
	profile, platform, err := p.planner.Profiles.ProfileFor(p.App.Source)
	if err != nil {
		return hydrate.Preparation{}, err
	}
	archive, err := p.planner.Archives.Archive(p.Version.Digest)
	if err != nil {
		return hydrate.Preparation{}, outcome.Failed(v1alpha1.ReasonChartNotFound, fmt.Errorf(
			"open chart of app %q, version %s: %w", p.App.Info.Spec.App, p.Version.Version, err))
	}
	request := hydrate.Request{
		Owner:    hydrate.Owner{Namespace: p.App.Source.Namespace, Source: p.App.Source.Name},
		App:      p.App.Info.Spec.App,
		Profile:  profile,
		Platform: values.Overlay(platform, p.settings.values),
		At:       hydrate.InstallTarget{Namespace: p.Tenant.Namespace, Instance: p.Instance},
		Releases: releases,
	}
	if cluster := p.planner.Cluster; cluster != nil {
		if request.Cluster, err = cluster.Capabilities(ctx); err != nil {
			return hydrate.Preparation{}, err
		}
		request.Lookup = cluster.Lookup(p.Tenant)
	}
	return hydrate.Preparation{
		Request: request, Archive: archive,
		Given: hydrate.GivenInputs{
			Values: p.settings.inputs, Plain: p.settings.plain, Supplied: p.settings.supplied.texts,
			SuppliedPlain: p.settings.supplied.plain, Credential: p.settings.credential,
		},
		ValuePaths: p.ValuePaths, IgnoresInputs: p.ForPermissions, AssumesPasswords: p.AssumesPasswords,
	}, nil
}

// preparationKey returns a digest of everything that determines the result of a preparation. The
// values may be secret and are not kept in any other form. The archive is identified by its
// digest.
func preparationKey(archive string, order hydrate.Preparation, tenant release.Tenant) (string, error) {
	r, given := order.Request, order.Given
	given.Plain = slices.Sorted(slices.Values(given.Plain))
	var releases any
	if len(r.Releases) > 0 {
		releases = r.Releases
	}
	text, err := json.Marshal([]any{
		archive, r.Owner, r.App, fmt.Sprintf("%T", r.Profile), r.Platform, r.At, releases, r.Cluster, given, tenant,
		order.ValuePaths, order.IgnoresInputs, order.AssumesPasswords,
	})
	if err != nil {
		return "", fmt.Errorf("encode preparation: %w", err)
	}
	return chart.Digest(text), nil
}
