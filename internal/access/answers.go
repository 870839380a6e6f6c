package access

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// maxAnswers bounds the answers of each kind that are kept. An answer takes some 300 bytes.
const maxAnswers = 2000

// token is the digest of a token, which itself is not kept.
type token = [sha256.Size]byte

// question is whether the owner of a token has a right.
type question struct {
	token token
	right Right
}

type answer struct {
	decision Decision
	until    time.Time
}

// answers are the decisions that may be used again. Those that allow are kept apart from
// those that refuse, so that invalid tokens do not push them out.
type answers struct {
	age time.Duration

	mu               sync.RWMutex
	allowed, refused map[question]answer
}

func newAnswers(age time.Duration) answers {
	return answers{age: age, allowed: map[question]answer{}, refused: map[question]answer{}}
}

// find returns the decision about a right, if it is known. A token that is not valid is
// not valid for any right.
func (a *answers) find(key token, right Right) (Decision, bool) {
	now := time.Now()
	asked := question{token: key, right: right}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, found := range [...]answer{a.allowed[asked], a.refused[asked], a.refused[question{token: key}]} {
		if now.Before(found.until) {
			return found.decision, true
		}
	}
	return Unauthenticated, false
}

// add keeps a decision that was asked for at a time.
func (a *answers) add(key token, right Right, decision Decision, at time.Time) {
	asked := question{token: key, right: right}
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
	if len(kept) >= maxAnswers {
		a.shrink(kept)
	}
	kept[asked] = answer{decision: decision, until: at.Add(a.age)}
}

// shrink makes room: it removes the answers that are too old, and if none are, any half.
func (a *answers) shrink(kept map[question]answer) {
	now := time.Now()
	for asked, found := range kept {
		if !now.Before(found.until) {
			delete(kept, asked)
		}
	}
	for asked := range kept {
		if len(kept) <= maxAnswers/2 {
			return
		}
		delete(kept, asked)
	}
}

// turns let one request of each token at a time pass.
type turns struct {
	mu   sync.Mutex
	held map[token]*turn
}

// turn has room for one request; users counts those that hold it or wait for it.
type turn struct {
	room  chan struct{}
	users int
}

// take waits for the turn of a token and returns what gives it back.
func (t *turns) take(ctx context.Context, key token) (release func(), err error) {
	t.mu.Lock()
	if t.held == nil {
		t.held = map[token]*turn{}
	}
	own := t.held[key]
	if own == nil {
		own = &turn{room: make(chan struct{}, 1)}
		t.held[key] = own
	}
	own.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(t.held, key)
		}
	}
	select {
	case own.room <- struct{}{}:
		return func() { <-own.room; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
