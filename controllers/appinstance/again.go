package appinstance

import (
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// outsideInterval is the maximum interval at which an instance whose spec cannot be
// resolved is reconciled. The cause is often an object that is not watched, such as a
// license or a Secret.
const outsideInterval = 5 * time.Minute

// lookAgain returns the time until the next reconcile, or 0 if only watches trigger it.
func lookAgain(err error) time.Duration {
	if status.ConditionOf(err) == v1alpha1.ConditionResolved {
		return outsideInterval
	}
	return 0
}

// outside limits the waiting time of an error that waits for an external change, which may
// not trigger a reconcile.
func outside(err error) error {
	if after, waiting := outcome.IsWaiting(err); waiting && after == 0 {
		return outcome.Waiting(outcome.Reason(err, v1alpha1.ReasonProgressing), wait.Jitter(outsideInterval, 0.1), err)
	}
	return err
}
