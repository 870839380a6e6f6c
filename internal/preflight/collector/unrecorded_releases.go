package collector

import (
	"sync"
	"time"

	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

const (
	// unrecordedAge is how long it counts that a release was seen to have no records. Another
	// client that makes the release meanwhile is found by the write of its first record.
	unrecordedAge = 5 * time.Second
	// maxUnrecorded bounds the releases that are remembered.
	maxUnrecorded = 1000
)

// unrecorded remembers releases that a tenant was seen to have no records of, so that the
// installation that follows a check need not list them again.
type unrecordedReleases struct {
	mu   sync.Mutex
	seen map[releaseKey]time.Time
}

type releaseKey struct {
	tenant release.Tenant
	name   string
}

// noteUnrecorded remembers those of the releases that have no records. Records are nil if the
// tenant may not list them.
func (c *Collector) rememberUnrecorded(of release.Tenant, names []string, records map[string]preflight.Record) {
	if records == nil {
		return
	}
	u := &c.unrecorded
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	if u.seen == nil || len(u.seen) >= maxUnrecorded {
		u.seen = map[releaseKey]time.Time{}
	}
	for _, name := range names {
		one := releaseKey{tenant: of, name: name}
		if _, recorded := records[name]; recorded {
			delete(u.seen, one)
		} else {
			u.seen[one] = now
		}
	}
}

// TakeUnrecorded reports whether a check has seen a moment ago that the tenant has no records
// of a release, and forgets it.
func (c *Collector) TakeUnrecorded(of release.Tenant, name string) bool {
	u := &c.unrecorded
	u.mu.Lock()
	defer u.mu.Unlock()
	one := releaseKey{tenant: of, name: name}
	at, seen := u.seen[one]
	delete(u.seen, one)
	return seen && time.Since(at) < unrecordedAge
}
