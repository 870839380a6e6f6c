package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
)

// TestFindingsStayBounded checks that the size of a status remains acceptable for the API
// server and for watching clients, regardless of the number of problems.
func TestFindingsStayBounded(t *testing.T) {
	for _, c := range []struct {
		why            string
		number, remedy int
		last           string
	}{
		{"a few", 3, 0, "problem 2"},
		{"as many as may be", 50, 0, "problem 49"},
		{"one more", 51, 0, "2 other problems are not listed; correct the listed problems first"},
		{"thousands", 5000, 0, "4951 other problems are not listed; correct the listed problems first"},
		{"a few with large remedies", 20, 15 << 10, "12 other problems are not listed; correct the listed problems first"},
		{"one with the largest remedy", 1, 16 << 10, "problem 0"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			f := &Findings{}
			for i := range c.number {
				f.AddProblems(preflight.Problem{Reason: v1alpha1.ReasonPermissionDenied, Message: fmt.Sprintf("problem %d", i), Remedy: strings.Repeat("r", c.remedy)})
			}
			listed := f.ToProblems()
			g.Expect(listed[len(listed)-1].Message).To(Equal(c.last))
			g.Expect(len(listed)).To(BeNumerically("<=", 50))
			encoded, err := json.Marshal(listed)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(len(encoded)).To(BeNumerically("<=", 160<<10))
			g.Expect(len(f.ToError(0).Error())).To(BeNumerically("<=", maxMessage))
		})
	}
}

func TestVerdictCountsWhatItLeavesOut(t *testing.T) {
	g := NewWithT(t)
	f := &Findings{}
	for range 10 {
		f.Add(outcome.Stalled(v1alpha1.ReasonPermissionDenied, errors.New(strings.Repeat("x", 200))))
	}
	g.Expect(f.ToError(0)).To(MatchError(HaveSuffix("xx; and 6 more")))
}

func TestVerdictSaysHowLongItWaitsOnlyWhereItDoes(t *testing.T) {
	missing := violation{
		err:   outcome.Waiting(v1alpha1.ReasonWaitingForSource, 0, errors.New("source not found")),
		until: "the task waits for 30s",
	}
	for _, c := range []struct {
		why   string
		other error
		says  string
	}{
		{"nothing else", nil, "source not found; the task waits for 30s"},
		{"something else that is waited for", outcome.Waiting(v1alpha1.ReasonWaitingForInput, 0, errors.New("set a name")),
			"source not found; set a name; the task waits for 30s"},
		{"something that is final", outcome.Stalled(v1alpha1.ReasonNameTooLong, errors.New("the name is too long")),
			"source not found; the name is too long"},
	} {
		t.Run(c.why, func(t *testing.T) {
			f := &Findings{found: []violation{missing}}
			f.Add(c.other)
			NewWithT(t).Expect(f.ToError(0)).To(MatchError(c.says))
		})
	}
}

// TestProblemsThatTimeMaySolveAreWaitedFor checks which problems an instance waits for.
func TestProblemsThatTimeMaySolveAreWaitedFor(t *testing.T) {
	passing := preflight.Problem{Reason: v1alpha1.ReasonPermissionDenied, Message: "apply the remedy", Remedy: "kind: Role"}
	final := preflight.Problem{Reason: v1alpha1.ReasonInvalidObject, Message: "correct the values", Final: true}
	for _, c := range []struct {
		why      string
		problems []preflight.Problem
		waits    bool
		reason   string
		says     string
	}{
		{"a right that may be granted", []preflight.Problem{passing}, true, v1alpha1.ReasonPermissionDenied, "apply status.preflight[0].remedy"},
		{"an object that is wrong", []preflight.Problem{final}, false, v1alpha1.ReasonInvalidObject, "correct the values"},
		{"both", []preflight.Problem{passing, final}, false, v1alpha1.ReasonInvalidObject, "apply status.preflight[0].remedy; correct the values"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g, f := NewWithT(t), &Findings{WaitsForUnmet: true, Interval: time.Minute}
			f.AddProblems(c.problems...)
			err := f.ToError(0)
			after, waits := outcome.IsWaiting(err)
			g.Expect(waits).To(Equal(c.waits))
			if waits {
				g.Expect(after).To(Equal(time.Minute))
			}
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
			g.Expect(err).To(MatchError(c.says))
			g.Expect(f.ToProblems()).To(HaveLen(len(c.problems)))
		})
	}
}
