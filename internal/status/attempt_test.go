package status_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

func TestAttempts(t *testing.T) {
	work := status.Work{Inputs: "a", Request: "now", Process: "second"}
	interrupted := func(begun int32) v1alpha1.Attempt {
		return v1alpha1.Attempt{Inputs: "a", Request: "now", Process: "first", Starts: begun}
	}
	other := func(change func(*v1alpha1.Attempt)) v1alpha1.Attempt {
		last := interrupted(status.MaxInterruptions)
		change(&last)
		return last
	}
	for _, c := range []struct {
		why       string
		last      v1alpha1.Attempt
		begun     int32
		exhausted bool
	}{
		{why: "the first attempt", begun: 1},
		{why: "one attempt was interrupted", last: interrupted(1), begun: 2},
		{why: "two attempts were interrupted", last: interrupted(2), begun: 3},
		{why: "three attempts were interrupted", last: interrupted(3), begun: 4, exhausted: true},
		{why: "three attempts with other inputs were interrupted", last: other(func(a *v1alpha1.Attempt) { a.Inputs = "b" }), begun: 1},
		{why: "three attempts before the request were interrupted", last: other(func(a *v1alpha1.Attempt) { a.Request = "" }), begun: 1},
		{why: "the last attempt has a result that is not written yet", last: other(func(a *v1alpha1.Attempt) { a.Process = "second" }), begun: 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(work.Next(c.last)).To(Equal(v1alpha1.Attempt{Inputs: "a", Request: "now", Process: "second", Starts: c.begun}))
			g.Expect(work.IsExhausted(c.last)).To(Equal(c.exhausted))
			g.Expect(work.WasInterrupted(c.last)).To(Equal(c.begun > 1))
		})
	}
}

func TestInterruptedErrorNamesTheAnnotation(t *testing.T) {
	g := NewWithT(t)
	err := status.InterruptedError("version 1.0.0: hydration", v1alpha1.AppInfoKind, "main.web")
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInterrupted))
	g.Expect(err).To(MatchError(ContainSubstring(v1alpha1.ReconcileRequestAnnotation)))
}

func TestInputsDigest(t *testing.T) {
	g := NewWithT(t)
	type inputs struct{ Source, Params string }
	g.Expect(status.InputsDigest(inputs{"a", "b"})).To(Equal(status.InputsDigest(inputs{"a", "b"})))
	g.Expect(status.InputsDigest(inputs{"a", "b"})).NotTo(Equal(status.InputsDigest(inputs{"ab", ""})))
	g.Expect(status.InputsDigest(inputs{"a", "b"})).To(HaveLen(32))
}
