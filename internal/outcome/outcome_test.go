package outcome_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

func TestClassification(t *testing.T) {
	stalled := outcome.Stalled(v1alpha1.ReasonNotFound, io.EOF)
	waiting := outcome.Waiting(v1alpha1.ReasonWaitingForApp, time.Minute, io.EOF)
	failed := outcome.Failed(v1alpha1.ReasonFetchFailed, io.EOF)
	for _, c := range []struct {
		why     string
		err     error
		reason  string
		stalled bool
		waiting bool
		after   time.Duration
	}{
		{why: "no error", reason: "Fallback"},
		{why: "an unclassified error", err: io.EOF, reason: "Fallback"},
		{why: "failed", err: failed, reason: v1alpha1.ReasonFetchFailed},
		{why: "failed, without a reason", err: outcome.Failed("", io.EOF), reason: "Fallback"},
		{why: "stalled", err: stalled, reason: v1alpha1.ReasonNotFound, stalled: true},
		{why: "waiting", err: waiting, reason: v1alpha1.ReasonWaitingForApp, waiting: true, after: time.Minute},
		{why: "waiting for a watch", err: outcome.Waiting(v1alpha1.ReasonWaitingForApp, 0, io.EOF), reason: v1alpha1.ReasonWaitingForApp, waiting: true},
		{why: "wrapped", err: fmt.Errorf("get chart: %w", stalled), reason: v1alpha1.ReasonNotFound, stalled: true},
		{why: "joined", err: errors.Join(io.ErrClosedPipe, waiting), reason: v1alpha1.ReasonWaitingForApp, waiting: true, after: time.Minute},
		{why: "the first of two joined errors applies", err: errors.Join(failed, stalled), reason: v1alpha1.ReasonFetchFailed},
		{why: "the outermost applies", err: outcome.Failed(v1alpha1.ReasonInterrupted, fmt.Errorf("wait: %w", stalled)), reason: v1alpha1.ReasonInterrupted},
		{why: "the outermost applies, even if it is final", err: outcome.Stalled(v1alpha1.ReasonTimedOut, fmt.Errorf("wait: %w", waiting)), reason: v1alpha1.ReasonTimedOut, stalled: true},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(outcome.Reason(c.err, "Fallback")).To(Equal(c.reason))
			g.Expect(outcome.IsStalled(c.err)).To(Equal(c.stalled))
			after, waiting := outcome.IsWaiting(c.err)
			g.Expect(waiting).To(Equal(c.waiting))
			g.Expect(after).To(Equal(c.after))
		})
	}
}

func TestClassifiedErrorsKeepTheError(t *testing.T) {
	for why, mark := range map[string]func(error) error{
		"failed":  func(err error) error { return outcome.Failed(v1alpha1.ReasonFetchFailed, err) },
		"stalled": func(err error) error { return outcome.Stalled(v1alpha1.ReasonNotFound, err) },
		"waiting": func(err error) error { return outcome.Waiting(v1alpha1.ReasonWaitingForApp, time.Second, err) },
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			cause := fmt.Errorf("read body: %w", io.ErrUnexpectedEOF)
			g.Expect(mark(cause)).To(MatchError(io.ErrUnexpectedEOF))
			g.Expect(mark(cause).Error()).To(Equal(cause.Error()))
			g.Expect(mark(nil)).To(Succeed(), "nil stays nil")
		})
	}
}
