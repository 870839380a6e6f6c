package session

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxRateKeys bounds the number of keys for which a Rate counts.
const maxRateKeys = 10000

// Rate limits requests for each key, such as an address or a session.
type Rate struct {
	limit rate.Limit
	burst int

	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

// NewRate returns a Rate that allows a burst of requests and then one for each interval.
func NewRate(interval time.Duration, burst int) *Rate {
	return &Rate{limit: rate.Every(interval), burst: burst, limiters: map[string]*rate.Limiter{}}
}

// Allow reports whether a request of a key is within the limit.
func (r *Rate) Allow(key string, now time.Time) bool {
	_, ok := r.Take(key, now)
	return ok
}

// Take reports whether a request of a key is within the limit. It also returns a function that gives the
// request back: it does not count any more.
func (r *Rate) Take(key string, now time.Time) (giveBack func(), ok bool) {
	taken := r.limiterFor(key, now).ReserveN(now, 1)
	giveBack = func() { taken.CancelAt(now) }
	if taken.DelayFrom(now) > 0 {
		giveBack()
		return nil, false
	}
	return giveBack, true
}

// limiterFor returns the limiter of a key.
func (r *Rate) limiterFor(key string, now time.Time) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	limiter := r.limiters[key]
	if limiter == nil {
		if len(r.limiters) >= maxRateKeys {
			r.removeIdle(now)
		}
		limiter = rate.NewLimiter(r.limit, r.burst)
		r.limiters[key] = limiter
	}
	return limiter
}

// removeIdle removes the keys that have their whole burst left, or any half of the keys if none
// has: a new key starts with the same burst.
func (r *Rate) removeIdle(now time.Time) {
	for key, limiter := range r.limiters {
		if limiter.TokensAt(now) >= float64(r.burst) {
			delete(r.limiters, key)
		}
	}
	for key := range r.limiters {
		if len(r.limiters) <= maxRateKeys/2 {
			return
		}
		delete(r.limiters, key)
	}
}
