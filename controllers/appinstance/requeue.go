package appinstance

import (
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// externalInterval is the maximum interval at which an instance whose spec cannot be
// resolved is reconciled. The cause is often an object that is not watched, such as a
// license or a Secret.
const externalInterval = 5 * time.Minute

// requeueDelay returns the time until the next reconcile, or 0 if only watches trigger it.
func requeueDelay(err error) time.Duration {
	if status.ConditionOf(err) == v1alpha1.ConditionResolved {
		return externalInterval
	}
	return 0
}

// limitExternalWait limits the waiting time of an error that waits for an external change, which may
// not trigger a reconcile.
func limitExternalWait(err error) error {
	if after, waiting := outcome.IsWaiting(err); waiting && after == 0 {
		return outcome.Waiting(outcome.Reason(err, v1alpha1.ReasonProgressing), wait.Jitter(externalInterval, 0.1), err)
	}
	return err
}
