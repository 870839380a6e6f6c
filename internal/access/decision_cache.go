package access

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// maxAnswers bounds the answers of each kind that are kept. An answer takes some 300 bytes.
const maxCachedDecisions = 2000

// token is the digest of a token, which itself is not kept.
type tokenDigest = [sha256.Size]byte

// question is whether the owner of a token has a right.
type cacheKey struct {
	token tokenDigest
	right Right
}

type cacheEntry struct {
	decision Decision
	until    time.Time
}

// answers are the decisions that may be used again. Those that allow are kept apart from
// those that refuse, so that invalid tokens do not push them out.
type decisionCache struct {
	maxAge time.Duration

	mu               sync.RWMutex
	allowed, refused map[cacheKey]cacheEntry
}

func newDecisionCache(age time.Duration) decisionCache {
	return decisionCache{maxAge: age, allowed: map[cacheKey]cacheEntry{}, refused: map[cacheKey]cacheEntry{}}
}

// find returns the decision about a right, if it is known. A token that is not valid is
// not valid for any right.
func (a *decisionCache) cachedDecision(key tokenDigest, right Right) (Decision, bool) {
	now := time.Now()
	asked := cacheKey{token: key, right: right}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, found := range [...]cacheEntry{a.allowed[asked], a.refused[asked], a.refused[cacheKey{token: key}]} {
		if now.Before(found.until) {
			return found.decision, true
		}
	}
	return Unauthenticated, false
}

// add keeps a decision that was asked for at a time.
func (a *decisionCache) addDecision(key tokenDigest, right Right, decision Decision, at time.Time) {
	asked := cacheKey{token: key, right: right}
	kept, other := a.refused, a.allowed
	if decision == Allowed {
		kept, other = a.allowed, a.refused
	}
	if decision == Unauthenticated {
		asked.right = Right{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(other, asked)
	if len(kept) >= maxCachedDecisions {
		a.evictDecisions(kept)
	}
	kept[asked] = cacheEntry{decision: decision, until: at.Add(a.maxAge)}
}

// shrink makes room: it removes the answers that are too old, and if none are, any half.
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

// turns let one request of each token at a time pass.
type tokenLocks struct {
	mu    sync.Mutex
	locks map[tokenDigest]*tokenLock
}

// turn has room for one request; users counts those that hold it or wait for it.
type tokenLock struct {
	slot  chan struct{}
	users int
}

// take waits for the turn of a token and returns what gives it back.
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
