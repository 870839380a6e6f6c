package marketsource

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// attempt is the last request to a source. It is kept in memory: after a restart every
// source is requested once, which costs one conditional request.
type attempt struct {
	at         time.Time
	generation int64
	// request is the last reconcile request that the attempt handled.
	request string
	// applied is the generation for which a complete listing was last applied.
	applied int64
	// etag is the ETag of the last response. The one in status is older if the last
	// response was not modified.
	etag string
	// repairs is the number of consecutive listings that were requested because AppInfos
	// were missing.
	repairs int
	// err is the error of the request, which is reported without another request before
	// until. failures is the number of consecutive failures.
	err      error
	failures int
	until    time.Time
	// took is the time that it took to read the source and to write its AppInfos.
	took time.Duration
}

// lastAttempt returns the last attempt of a source, or the zero value if there is none.
func (r *Reconciler) lastAttempt(source types.UID) attempt {
	if last, ok := r.attempts.Load(source); ok {
		return last.(attempt)
	}
	return attempt{}
}

// next returns the attempt that has just ended with err. After a failure, the source is not
// requested again before a delay that doubles with each failure up to its interval, however
// often its apps change.
func (a attempt) next(source *v1alpha1.MarketSource, err error) attempt {
	now := time.Now()
	made := attempt{at: now, generation: source.Generation, request: request(source), applied: a.applied, err: err, until: now}
	after, waiting := outcome.IsWaiting(err)
	switch {
	case waiting:
		made.until = now.Add(after)
	case outcome.IsStalled(err):
		made.until = now.Add(interval(source))
	case err != nil:
		made.failures = a.failures + 1
		made.until = now.Add(min(delay(firstRetry, a.failures), interval(source)))
	}
	return made
}

// firstRetry is the delay after the first failure.
const firstRetry = time.Second

// delay returns the first delay, doubled for each previous failure.
func delay(first time.Duration, failures int) time.Duration {
	return first << min(failures, 12)
}

// mayRepair reports whether another listing may be requested to restore missing AppInfos:
// after the cache had time to receive them, and less often after each attempt.
func (a attempt) mayRepair() bool { return time.Since(a.at) >= delay(settle, a.repairs) }

// holds reports whether the failure is still valid without another request: the spec is
// unchanged, no reconcile was requested, and the delay has not passed.
func (a attempt) holds(source *v1alpha1.MarketSource) bool {
	return a.err != nil && a.generation == source.Generation && a.request == request(source) && time.Now().Before(a.until)
}

// again returns the failure with the remaining delay.
func (a attempt) again() error {
	if _, waiting := outcome.IsWaiting(a.err); waiting {
		return outcome.Waiting(outcome.Reason(a.err, v1alpha1.ReasonProgressing), time.Until(a.until), a.err)
	}
	return a.err
}

// due reports whether a conditional request to the source is due.
func (a attempt) due(source *v1alpha1.MarketSource) bool {
	// The jitter of the queue can requeue the source up to a tenth of the interval earlier.
	return requested(source) || a.err != nil || time.Since(a.at) >= a.rest(source)*9/10
}

// rest returns the time between two requests to the source: its interval, or longer if
// reading it takes long.
func (a attempt) rest(source *v1alpha1.MarketSource) time.Duration {
	if a.took < costly {
		return interval(source)
	}
	return max(interval(source), restPerWork*a.took)
}

// requested reports whether a requested reconcile has not been handled yet.
func requested(source *v1alpha1.MarketSource) bool {
	return request(source) != source.Status.LastHandledReconcileAt
}

func request(source *v1alpha1.MarketSource) string {
	return status.ReconcileRequest(source)
}
