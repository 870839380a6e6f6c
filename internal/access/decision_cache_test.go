package access

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func digestOf(name string) tokenDigest { return sha256.Sum256([]byte(name)) }

func TestCachedDecisionsAreBounded(t *testing.T) {
	g := NewWithT(t)
	kept := newDecisionCache(time.Hour)
	right := Right{Verb: "get", Name: "a"}
	kept.addDecision(digestOf("good"), right, Allowed, time.Now())
	for i := range 3 * maxCachedDecisions {
		kept.addDecision(digestOf(fmt.Sprint(i)), right, Unauthenticated, time.Now())
		kept.addDecision(digestOf("curious"), Right{Name: fmt.Sprint(i)}, Forbidden, time.Now())
	}
	g.Expect(len(kept.refused)).To(BeNumerically("<=", maxCachedDecisions))
	decision, known := kept.cachedDecision(digestOf("good"), right)
	g.Expect(known).To(BeTrue(), "refused decisions do not evict allowed decisions")
	g.Expect(decision).To(Equal(Allowed))
	for i := range 3 * maxCachedDecisions {
		kept.addDecision(digestOf("good"), Right{Name: fmt.Sprint(i)}, Allowed, time.Now())
	}
	g.Expect(len(kept.allowed)).To(BeNumerically("<=", maxCachedDecisions))
}

func TestExpiredDecisionsAreEvictedFirst(t *testing.T) {
	g := NewWithT(t)
	kept := newDecisionCache(time.Minute)
	right := Right{Verb: "get"}
	for i := range maxCachedDecisions - 1 {
		kept.addDecision(digestOf(fmt.Sprint("old ", i)), right, Allowed, time.Now().Add(-time.Hour))
	}
	kept.addDecision(digestOf("young"), right, Allowed, time.Now())
	kept.addDecision(digestOf("next"), right, Allowed, time.Now())
	g.Expect(kept.allowed).To(HaveLen(2))
	_, known := kept.cachedDecision(digestOf("young"), right)
	g.Expect(known).To(BeTrue())
}

func TestCachedDecisionsMatchTokenAndRight(t *testing.T) {
	a, b := Right{Name: "a"}, Right{Name: "b"}
	for _, c := range []struct {
		why      string
		token    string
		right    Right
		at       time.Duration
		decision Decision
		known    bool
	}{
		{"the same token and right", "one", a, 0, Allowed, true},
		{"another right", "one", b, 0, Unauthenticated, false},
		{"another token", "two", a, 0, Unauthenticated, false},
		{"a refused right", "three", a, 0, Forbidden, true},
		{"another right of a refused one", "three", b, 0, Unauthenticated, false},
		{"an invalid token", "invalid", b, 0, Unauthenticated, true},
		{"an expired decision", "one", a, -2 * time.Minute, Unauthenticated, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			kept := newDecisionCache(time.Minute)
			at := time.Now().Add(c.at)
			kept.addDecision(digestOf("one"), a, Allowed, at)
			kept.addDecision(digestOf("three"), a, Forbidden, at)
			kept.addDecision(digestOf("invalid"), a, Unauthenticated, at)
			decision, known := kept.cachedDecision(digestOf(c.token), c.right)
			g.Expect(known).To(Equal(c.known))
			g.Expect(decision).To(Equal(c.decision))
		})
	}
}
