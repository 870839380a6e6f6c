package access

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func digest(name string) token { return sha256.Sum256([]byte(name)) }

func TestAnswersAreBoundedByKind(t *testing.T) {
	g := NewWithT(t)
	kept := newAnswers(time.Hour)
	right := Right{Verb: "get", Name: "a"}
	kept.add(digest("good"), right, Allowed, time.Now())
	for i := range 3 * maxAnswers {
		kept.add(digest(fmt.Sprint(i)), right, Unauthenticated, time.Now())
		kept.add(digest("curious"), Right{Name: fmt.Sprint(i)}, Forbidden, time.Now())
	}
	g.Expect(len(kept.refused)).To(BeNumerically("<=", maxAnswers))
	decision, known := kept.find(digest("good"), right)
	g.Expect(known).To(BeTrue(), "answers that refuse do not push out those that allow")
	g.Expect(decision).To(Equal(Allowed))
	for i := range 3 * maxAnswers {
		kept.add(digest("good"), Right{Name: fmt.Sprint(i)}, Allowed, time.Now())
	}
	g.Expect(len(kept.allowed)).To(BeNumerically("<=", maxAnswers))
}

func TestAnswersThatAreTooOldMakeRoomFirst(t *testing.T) {
	g := NewWithT(t)
	kept := newAnswers(time.Minute)
	right := Right{Verb: "get"}
	for i := range maxAnswers - 1 {
		kept.add(digest(fmt.Sprint("old ", i)), right, Allowed, time.Now().Add(-time.Hour))
	}
	kept.add(digest("young"), right, Allowed, time.Now())
	kept.add(digest("next"), right, Allowed, time.Now())
	g.Expect(kept.allowed).To(HaveLen(2))
	_, known := kept.find(digest("young"), right)
	g.Expect(known).To(BeTrue())
}

func TestAnswersHoldForTheirTokenAndRight(t *testing.T) {
	a, b := Right{Name: "a"}, Right{Name: "b"}
	for _, c := range []struct {
		why      string
		token    string
		right    Right
		at       time.Duration
		decision Decision
		known    bool
	}{
		{"the same question", "one", a, 0, Allowed, true},
		{"another right", "one", b, 0, Unauthenticated, false},
		{"another token", "two", a, 0, Unauthenticated, false},
		{"a refused right", "three", a, 0, Forbidden, true},
		{"another right of a refused one", "three", b, 0, Unauthenticated, false},
		{"an invalid token", "invalid", b, 0, Unauthenticated, true},
		{"an answer that is too old", "one", a, -2 * time.Minute, Unauthenticated, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			kept := newAnswers(time.Minute)
			at := time.Now().Add(c.at)
			kept.add(digest("one"), a, Allowed, at)
			kept.add(digest("three"), a, Forbidden, at)
			kept.add(digest("invalid"), a, Unauthenticated, at)
			decision, known := kept.find(digest(c.token), c.right)
			g.Expect(known).To(Equal(c.known))
			g.Expect(decision).To(Equal(c.decision))
		})
	}
}
