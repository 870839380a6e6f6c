package marketsource

import (
	"context"
	"errors"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// shutdownTimeout is the timeout of the last status write of a process that is shutting down.
const shutdownTimeout = 5 * time.Second

// workFor returns the identity of the reading of a response for the current spec.
func (r *Reconciler) workFor(source *v1alpha1.MarketSource, etag string) status.Work {
	inputs := struct {
		Generation int64
		ETag       string
	}{source.Generation, etag}
	return status.Work{Inputs: status.InputsDigest(inputs), Request: reconcileRequest(source), Process: r.Process}
}

// recordAttempt records in status that a response of the source is being read, before the process
// reads data that could crash it. It returns an error if the same response has interrupted
// the process too often. If this process has already read a response for the same spec and
// reconcile request, nothing is recorded, so that a source without ETags does not cause
// writes. If such a response crashes the process, the next process records it.
func (r *Reconciler) recordAttempt(ctx context.Context, s *scope, last pollState, etag string) error {
	work, left := r.workFor(s.source, etag), v1alpha1.Attempt{}
	if s.source.Status.Attempt != nil {
		left = *s.source.Status.Attempt
	}
	if work.IsExhausted(left) {
		return status.InterruptedError("reading the source", v1alpha1.MarketSourceKind, s.source.Name)
	}
	if work.WasInterrupted(left) && !r.Suspects.TryAcquire(client.ObjectKeyFromObject(s.source)) {
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, 0, errors.New(
			"the operator terminated while it read the source; interrupted work is retried one object at a time"))
	}
	if s.source.Status.Attempt != nil || last.at.IsZero() || last.generation != s.source.Generation || last.request != reconcileRequest(s.source) {
		next := work.Next(left)
		s.previousAttempt, s.isRecorded = s.source.Status.Attempt, true
		s.source.Status.Attempt = &next
		if err := s.statusWriter.Save(ctx); err != nil {
			return err
		}
	}
	failpoint.Point(failpoint.SourceBegun, client.ObjectKeyFromObject(s.source).String())
	return nil
}

// manyApps is the number of apps from which on the end of the reading is saved immediately.
// Writing that many apps takes long, and a crash in the meantime must not count as
// an interruption of the source.
const manyApps = 20

// finishReading removes the attempt from status after the response is read.
func (s *scope) finishReading(ctx context.Context, apps int) error {
	if !s.isRecorded || apps < manyApps {
		return nil // The end of the reconcile saves it; see clearAttempt.
	}
	s.isRecorded, s.source.Status.Attempt = false, nil
	return s.statusWriter.Save(ctx)
}

// clearAttempt removes the attempt from status at the end of the reconcile, which saves it. If
// the process is shutting down, it restores the previous attempt.
func (s *scope) clearAttempt(ctx context.Context) {
	if !s.isRecorded {
		return
	}
	s.source.Status.Attempt = nil
	if ctx.Err() == nil {
		return
	}
	s.source.Status.Attempt = s.previousAttempt
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := s.statusWriter.Save(ctx); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to restore the previous attempt")
	}
}
