package marketsource

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// pollState is the last request to a source. It is kept in memory: after a restart every
// source is requested once, which costs one conditional request.
type pollState struct {
	at         time.Time
	generation int64
	// request is the last reconcile request that the attempt handled.
	request string
	// applied is the generation for which a complete listing was last applied.
	applied int64
	// etag is the ETag of the last response. The one in status is older if the last
	// response was not modified.
	etag string
	// isCompleteDue reports whether a complete listing was requested and has failed.
	isCompleteDue bool
	// repairs is the number of consecutive listings that were requested because AppInfos
	// were missing.
	repairs int
	// err is the error of the request, which is reported without another request before
	// until. failures is the number of consecutive failures.
	err      error
	failures int
	until    time.Time
	// policyErr is the error of reading the trust root.
	policyErr error
	// took is the time that it took to read the source and to write its AppInfos.
	took time.Duration
}

// lastPoll returns the last attempt of a source, or the zero value if there is none.
func (r *Reconciler) lastPoll(source types.UID) pollState {
	if last, ok := r.pollStates.Load(source); ok {
		return last.(pollState)
	}
	return pollState{}
}

// afterRequest returns the attempt that has just ended with err. After a failure, the source is not
// requested again before a delay that doubles with each failure up to its interval, however
// often its apps change.
func (a pollState) afterRequest(source *v1alpha1.MarketSource, err error) pollState {
	now := time.Now()
	next := pollState{at: now, generation: source.Generation, request: reconcileRequest(source), applied: a.applied, err: err, until: now}
	after, waiting := outcome.IsWaiting(err)
	switch {
	case waiting:
		next.until = now.Add(after)
	case outcome.IsStalled(err):
		next.until = now.Add(sourceInterval(source))
	case err != nil:
		next.failures = a.failures + 1
		next.until = now.Add(min(backoffDelay(firstRetry, a.failures), sourceInterval(source)))
	}
	return next
}

// firstRetry is the delay after the first failure.
const firstRetry = time.Second

// backoffDelay returns the first delay, doubled for each previous failure.
func backoffDelay(first time.Duration, failures int) time.Duration {
	return first << min(failures, 12)
}

// canRepair reports whether another listing may be requested to restore missing AppInfos:
// after the cache had time to receive them, and less often after each attempt.
func (a pollState) canRepair() bool {
	return time.Since(a.at) >= backoffDelay(cacheSettleDelay, a.repairs)
}

// isBackoffActive reports whether the failure is still valid without another request: the spec is
// unchanged, no reconcile was requested, and the delay has not passed.
func (a pollState) isBackoffActive(source *v1alpha1.MarketSource) bool {
	return a.err != nil && a.generation == source.Generation && a.request == reconcileRequest(source) && time.Now().Before(a.until)
}

// cachedError returns the failure with the remaining delay.
func (a pollState) cachedError() error {
	if _, waiting := outcome.IsWaiting(a.err); waiting {
		return outcome.Waiting(outcome.Reason(a.err, v1alpha1.ReasonProgressing), time.Until(a.until), a.err)
	}
	return a.err
}

// isDue reports whether a conditional request to the source is due.
func (a pollState) isDue(source *v1alpha1.MarketSource) bool {
	// The jitter of the queue can requeue the source up to a tenth of the interval earlier.
	return isReconcileRequested(source) || a.err != nil || time.Since(a.at) >= a.pollInterval(source)*9/10
}

// pollInterval returns the time between two requests to the source: its interval, or longer if
// reading it takes long.
func (a pollState) pollInterval(source *v1alpha1.MarketSource) time.Duration {
	if a.took < costlyDuration {
		return sourceInterval(source)
	}
	return max(sourceInterval(source), restPerWork*a.took)
}

// isReconcileRequested reports whether a requested reconcile has not been handled yet.
func isReconcileRequested(source *v1alpha1.MarketSource) bool {
	return reconcileRequest(source) != source.Status.LastHandledReconcileAt
}

func reconcileRequest(source *v1alpha1.MarketSource) string {
	return status.ReconcileRequest(source)
}
