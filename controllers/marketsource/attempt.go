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
	// etag is the validator of the last answer, which status has only where the
	// answer had news.
	etag string
	// repairs counts the listings in a row that were asked for because AppInfos were
	// missing.
	repairs int
	// err is why there was no answer, and it holds until a time. failures counts the
	// attempts in a row without one.
	err      error
	failures int
	until    time.Time
	// took is how long it took to read the source and to write its apps.
	took time.Duration
}

// lastAttempt is the zero attempt for a source that was not asked yet.
func (r *Reconciler) lastAttempt(source types.UID) attempt {
	if last, ok := r.attempts.Load(source); ok {
		return last.(attempt)
	}
	return attempt{}
}

// next is the attempt that just ended with err. However often the apps of a source
// change, a source that gave no answer is not asked again before a delay that grows with
// each failure, up to its interval.
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

// delay returns the first delay, doubled for each of the failures before.
func delay(first time.Duration, failures int) time.Duration {
	return first << min(failures, 12)
}

// mayRepair reports whether AppInfos that are missing are to be made again by another
// listing: after the cache had the time to show them, and less often where that does
// not help.
func (a attempt) mayRepair() bool { return time.Since(a.at) >= delay(settle, a.repairs) }

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
	return requested(source) || a.err != nil || time.Since(a.at) >= a.rest(source)*9/10
}

// rest is the time between two looks at the source: its interval, or longer where reading
// it is costly.
func (a attempt) rest(source *v1alpha1.MarketSource) time.Duration {
	if a.took < costly {
		return interval(source)
	}
	return max(interval(source), restPerWork*a.took)
}

// requested reports whether somebody asks for a reconcile that was not carried out
// yet.
func requested(source *v1alpha1.MarketSource) bool {
	return request(source) != source.Status.LastHandledReconcileAt
}

func request(source *v1alpha1.MarketSource) string {
	return status.ReconcileRequest(source)
}
