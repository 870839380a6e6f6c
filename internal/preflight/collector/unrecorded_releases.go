package collector

import (
	"sync"
	"time"

	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

const (
	// unrecordedAge is the time for which a release without records is remembered. If another
	// client creates the release in this time, writing its first record fails.
	unrecordedAge = 5 * time.Second
	// maxUnrecorded bounds the releases that are remembered.
	maxUnrecorded = 1000
)

// unrecordedReleases remembers releases without records, so that the installation after a check
// does not list the records again.
type unrecordedReleases struct {
	mu   sync.Mutex
	seen map[releaseKey]time.Time
}

type releaseKey struct {
	tenant release.Tenant
	name   string
}

// rememberUnrecorded remembers the releases that have no records. If records is nil, the tenant
// may not list records.
func (c *Collector) rememberUnrecorded(tenant release.Tenant, names []string, records map[string]preflight.Record) {
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
		one := releaseKey{tenant: tenant, name: name}
		if _, recorded := records[name]; recorded {
			delete(u.seen, one)
		} else {
			u.seen[one] = now
		}
	}
}

// TakeUnrecorded reports whether a recent check found no records of a release, and removes the
// result.
func (c *Collector) TakeUnrecorded(of release.Tenant, name string) bool {
	u := &c.unrecorded
	u.mu.Lock()
	defer u.mu.Unlock()
	one := releaseKey{tenant: of, name: name}
	at, seen := u.seen[one]
	delete(u.seen, one)
	return seen && time.Since(at) < unrecordedAge
}
