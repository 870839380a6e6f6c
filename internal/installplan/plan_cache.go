package installplan

import (
	"slices"
	"sync"
	"time"

	"github.com/appmarket/operator/hydrate"
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

// planCache caches the rendered plans of installations that are about to start. Each one is
// returned once, for the same archive, values, inputs, place, tenant and cluster capabilities.
type planCache struct {
	mu    sync.Mutex
	plans []cachedPlan // oldest first
	bytes int
}

type cachedPlan struct {
	key   string
	plan  *hydrate.Prepared
	bytes int
	until time.Time
}

// addPlan keeps a plan unless it is too large or templates looked up objects.
func (a *planCache) addPlan(key string, plan *hydrate.Prepared) {
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
func (a *planCache) takePlan(key string) *hydrate.Prepared {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trimPlans()
	return a.removePlan(key)
}

func (a *planCache) removePlan(key string) *hydrate.Prepared {
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
