package marketsource

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// attempt is how a source was asked last. It is not state: after a restart every
// source is asked once, which costs a conditional request.
type attempt struct {
	at         time.Time
	generation int64
	// request is the last one that somebody made.
	request string
	// applied is the generation for which a whole listing was last applied.
	applied int64
	// err is why there was no answer, and it holds until a time.
	err   error
	until time.Time
}

// lastAttempt is the zero attempt for a source that was not asked yet.
func (r *Reconciler) lastAttempt(source types.UID) attempt {
	if last, ok := r.attempts.Load(source); ok {
		return last.(attempt)
	}
	return attempt{}
}

// next is the attempt that just ended with err. A source that is to be left alone
// for a while, or of which nothing new is expected, is not asked again whenever
// one of its apps changes; one that merely failed is, as the queue says.
func (a attempt) next(source *v1alpha1.MarketSource, err error) attempt {
	now := time.Now()
	made := attempt{at: now, generation: source.Generation, request: request(source), applied: a.applied, err: err, until: now}
	if after, waiting := outcome.IsWaiting(err); waiting {
		made.until = now.Add(after)
	} else if outcome.IsStalled(err) {
		made.until = now.Add(interval(source))
	}
	return made
}

// holds reports whether the failure still stands without asking: nothing has changed
// since, and nobody has made another request.
func (a attempt) holds(source *v1alpha1.MarketSource) bool {
	return a.err != nil && a.generation == source.Generation && a.request == request(source) && time.Now().Before(a.until)
}

// again is the failure as it is to be told now.
func (a attempt) again() error {
	if _, waiting := outcome.IsWaiting(a.err); waiting {
		return outcome.Waiting(outcome.Reason(a.err, v1alpha1.ReasonProgressing), time.Until(a.until), a.err)
	}
	return a.err
}

// due reports whether the source is to be asked for news.
func (a attempt) due(source *v1alpha1.MarketSource) bool {
	// The queue's jitter may bring the source back a tenth earlier.
	return requested(source) || a.err != nil || time.Since(a.at) >= interval(source)*9/10
}

// requested reports whether somebody asks for a reconcile that was not carried out
// yet.
func requested(source *v1alpha1.MarketSource) bool {
	return request(source) != source.Status.LastHandledReconcileAt
}

func request(source *v1alpha1.MarketSource) string {
	return status.ReconcileRequest(source)
}
