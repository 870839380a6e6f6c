package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/values"
)

const (
	// maxPlanAge is the time for which a plan is kept for its operation.
	maxPlanAge = 30 * time.Second
	// maxCachedPlans and maxCacheBytes limit the number and the total size of the plans that are
	// kept, and maxPlanBytes the size of a single plan.
	maxCachedPlans = 64
	maxCacheBytes  = 16 << 20
	maxPlanBytes   = 2 << 20
)

// planCache caches plans of installations that are about to start. Each plan is returned once,
// for the same archive, values, inputs, place, tenant and cluster capabilities.
type planCache struct {
	mu    sync.Mutex
	plans []cachedPlan // oldest first
	bytes int
}

type cachedPlan struct {
	key   string
	plan  *Plan
	bytes int
	until time.Time
}

// PrepareAhead works like Prepare, for an installation that is about to start. The plan is
// kept for the next call of Prepare with the same arguments, unless templates looked up
// objects of the cluster.
func (c *Catalog) PrepareAhead(ctx context.Context, app *App, version *v1alpha1.PublishedVersion, wish Request) (*Plan, error) {
	p, err := c.newPreparation(ctx, app, version, wish)
	if err != nil {
		return nil, err
	}
	plan, err := c.renderPlan(ctx, app, version, p)
	if err != nil || len(plan.InputProblems) > 0 {
		return plan, err
	}
	if key, err := planKey(version.Digest, p, wish); err == nil {
		c.cachedPlans.addPlan(key, plan)
	}
	return plan, nil
}

// newPreparation returns the order for a worker.
func (c *Catalog) newPreparation(ctx context.Context, app *App, version *v1alpha1.PublishedVersion, wish Request) (hydrate.Preparation, error) {
	profile, platform, err := c.Profiles.ProfileFor(app.Source)
	if err != nil {
		return hydrate.Preparation{}, err
	}
	archive, err := c.Archives.Archive(version.Digest)
	if err != nil {
		return hydrate.Preparation{}, outcome.Failed(v1alpha1.ReasonChartNotFound, fmt.Errorf("open chart %s-%s: %w", app.Info.Spec.App, version.Version, err))
	}
	request := hydrate.Request{
		Owner:    hydrate.Owner{Namespace: app.Source.Namespace, Source: app.Source.Name},
		App:      app.Info.Spec.App,
		Profile:  profile,
		Platform: values.Overlay(platform, wish.Values),
		At:       wish.At,
		Releases: wish.Releases,
	}
	if c.Cluster != nil {
		if request.Cluster, err = c.Cluster.Capabilities(ctx); err != nil {
			return hydrate.Preparation{}, err
		}
		request.Lookup = c.Cluster.Lookup(wish.Tenant)
	}
	return hydrate.Preparation{
		Request: request, Archive: archive,
		Given: hydrate.GivenInputs{
			Values: wish.Envs, Plain: wish.Plain, Supplied: wish.Defaults.Texts, SuppliedPlain: wish.Defaults.Plain, Credential: wish.Credential,
		},
	}, nil
}

// planKey returns a digest of everything that determines the result of a preparation. The
// values may be secret and are not kept in any other form. The archive is identified by its
// digest.
func planKey(archive string, p hydrate.Preparation, wish Request) (string, error) {
	r, given := p.Request, p.Given
	given.Plain = slices.Sorted(slices.Values(given.Plain))
	var releases any
	if len(r.Releases) > 0 {
		releases = r.Releases
	}
	text, err := json.Marshal([]any{
		archive, r.Owner, r.App, fmt.Sprintf("%T", r.Profile), r.Platform, r.At, releases, r.Cluster, given, wish.Tenant,
	})
	if err != nil {
		return "", fmt.Errorf("encode arguments of a rendering: %w", err)
	}
	return chart.Digest(text), nil
}

// addPlan keeps a plan unless it is too large or templates looked up objects.
func (a *planCache) addPlan(key string, plan *Plan) {
	size := 0
	for _, unit := range plan.Draft.Units {
		if unit.Lookups > 0 {
			return
		}
		for _, document := range unit.Documents {
			size += len(document.Text)
		}
		if unit.Release != nil {
			size += len(unit.Release.Record)
		}
	}
	if size > maxPlanBytes {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.removePlan(key)
	a.plans = append(a.plans, cachedPlan{key: key, plan: plan, bytes: size, until: time.Now().Add(maxPlanAge)})
	a.bytes += size
	a.trimPlans()
	time.AfterFunc(maxPlanAge, a.removeExpired)
}

// removeExpired removes expired plans.
func (a *planCache) removeExpired() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trimPlans()
}

// takePlan removes the plan with the given key and returns it, or nil if there is none.
func (a *planCache) takePlan(key string) *Plan {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trimPlans()
	return a.removePlan(key)
}

func (a *planCache) removePlan(key string) *Plan {
	at := slices.IndexFunc(a.plans, func(one cachedPlan) bool { return one.key == key })
	if at < 0 {
		return nil
	}
	found := a.plans[at]
	a.plans = slices.Delete(a.plans, at, at+1)
	a.bytes -= found.bytes
	return found.plan
}

// trimPlans removes expired plans, and the oldest plans if a limit is exceeded.
func (a *planCache) trimPlans() {
	now := time.Now()
	for len(a.plans) > 0 && (len(a.plans) > maxCachedPlans || a.bytes > maxCacheBytes || !now.Before(a.plans[0].until)) {
		a.removePlan(a.plans[0].key)
	}
}
