package access

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// maxCachedDecisions bounds the decisions of each kind in the cache. A decision takes about
// 300 bytes.
const maxCachedDecisions = 2000

// tokenDigest is the digest of a token. Tokens themselves are not stored.
type tokenDigest = [sha256.Size]byte

// cacheKey identifies a decision about a right of the owner of a token.
type cacheKey struct {
	token tokenDigest
	right Right
}

type cacheEntry struct {
	decision Decision
	until    time.Time
}

// decisionCache holds recent decisions. Allowed and refused decisions are stored separately,
// so that invalid tokens cannot evict allowed decisions.
type decisionCache struct {
	// maxAge is the time for which an allowed decision is cached, and refusedAge the time for
	// any other.
	maxAge, refusedAge time.Duration

	mu               sync.RWMutex
	allowed, refused map[cacheKey]cacheEntry
}

func newDecisionCache(age time.Duration) decisionCache {
	return decisionCache{maxAge: age, refusedAge: age, allowed: map[cacheKey]cacheEntry{}, refused: map[cacheKey]cacheEntry{}}
}

// cachedDecision returns the decision about a right, if it is cached. A token that is invalid
// for one right is invalid for all.
func (a *decisionCache) cachedDecision(key tokenDigest, right Right) (Decision, bool) {
	now := time.Now()
	entry := cacheKey{token: key, right: right}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, found := range [...]cacheEntry{a.allowed[entry], a.refused[entry], a.refused[cacheKey{token: key}]} {
		if now.Before(found.until) {
			return found.decision, true
		}
	}
	return Unauthenticated, false
}

// addDecision stores a decision that was requested at a time.
func (a *decisionCache) addDecision(key tokenDigest, right Right, decision Decision, at time.Time) {
	entry := cacheKey{token: key, right: right}
	kept, other, age := a.refused, a.allowed, a.refusedAge
	if decision == Allowed {
		kept, other, age = a.allowed, a.refused, a.maxAge
	}
	if decision == Unauthenticated {
		entry.right = Right{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(other, entry)
	if len(kept) >= maxCachedDecisions {
		a.evictDecisions(kept)
	}
	kept[entry] = cacheEntry{decision: decision, until: at.Add(age)}
}

// evictDecisions removes the expired decisions, or any half of the decisions if none expired.
func (a *decisionCache) evictDecisions(kept map[cacheKey]cacheEntry) {
	now := time.Now()
	for asked, found := range kept {
		if !now.Before(found.until) {
			delete(kept, asked)
		}
	}
	for asked := range kept {
		if len(kept) <= maxCachedDecisions/2 {
			return
		}
		delete(kept, asked)
	}
}

// tokenLocks allows one request for each token at a time.
type tokenLocks struct {
	mu    sync.Mutex
	locks map[tokenDigest]*tokenLock
}

// tokenLock has one slot; users counts the requests that hold the slot or wait for it.
type tokenLock struct {
	slot  chan struct{}
	users int
}

// acquireLock waits for the lock of a token and returns the function that releases it.
func (t *tokenLocks) acquireLock(ctx context.Context, key tokenDigest) (release func(), err error) {
	t.mu.Lock()
	if t.locks == nil {
		t.locks = map[tokenDigest]*tokenLock{}
	}
	own := t.locks[key]
	if own == nil {
		own = &tokenLock{slot: make(chan struct{}, 1)}
		t.locks[key] = own
	}
	own.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(t.locks, key)
		}
	}
	select {
	case own.slot <- struct{}{}:
		return func() { <-own.slot; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
