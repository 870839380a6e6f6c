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

// leaving is how long the last write of a process that ends may take.
const leaving = 5 * time.Second

// work is the reading of an answer of the source, as its spec is now.
func (r *Reconciler) work(source *v1alpha1.MarketSource, etag string) status.Work {
	inputs := struct {
		Generation int64
		ETag       string
	}{source.Generation, etag}
	return status.Work{Inputs: status.InputsDigest(inputs), Request: request(source), Process: r.Process}
}

// begin notes in status that an answer of the source is read, before anything of it is
// that could end the process, and refuses an answer that did so too often. A source of
// which this process has read an answer for the same spec and request is read again
// without a note, so that one whose answers have no ETag costs no writes: if it ends the
// process then, the next one notes it.
func (r *Reconciler) begin(ctx context.Context, s *scope, last attempt, etag string) error {
	work, left := r.work(s.source, etag), v1alpha1.Attempt{}
	if s.source.Status.Attempt != nil {
		left = *s.source.Status.Attempt
	}
	if work.IsExhausted(left) {
		return status.InterruptedError("reading the source", v1alpha1.MarketSourceKind, s.source.Name)
	}
	if work.WasInterrupted(left) && !r.Suspects.TryAcquire(client.ObjectKeyFromObject(s.source)) {
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, 0, errors.New(
			"the operator ended while the source was read: what was being worked on then is tried one by one"))
	}
	if s.source.Status.Attempt != nil || last.at.IsZero() || last.generation != s.source.Generation || last.request != request(s.source) {
		next := work.Next(left)
		s.left, s.noted = s.source.Status.Attempt, true
		s.source.Status.Attempt = &next
		if err := s.keeper.Save(ctx); err != nil {
			return err
		}
	}
	failpoint.Point(failpoint.SourceBegun, client.ObjectKeyFromObject(s.source).String())
	return nil
}

// manyApps is from how many apps on it is written at once that the source was read. To
// write the apps takes long, and what ends the process meanwhile is no fault of the source.
const manyApps = 20

// haveRead takes the attempt out of status, since the answer was read.
func (s *scope) haveRead(ctx context.Context, apps int) error {
	if !s.noted || apps < manyApps {
		return nil // The end of the reconcile writes it; see settle.
	}
	s.noted, s.source.Status.Attempt = false, nil
	return s.keeper.Save(ctx)
}

// settle takes the attempt out of status, since it has a result: the end of the reconcile
// writes that. Where the process ends in good order it is not the fault of the source.
func (s *scope) settle(ctx context.Context) {
	if !s.noted {
		return
	}
	s.source.Status.Attempt = nil
	if ctx.Err() == nil {
		return
	}
	s.source.Status.Attempt = s.left
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	if err := s.keeper.Save(ctx); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not note that the reading was not cut off")
	}
}
