package appinstance

import (
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// outsideInterval is when an instance whose spec cannot be resolved is looked at
// again at the latest. What is in the way is often outside of it and says no word
// when it changes: the sharing of a source, the time of a license, a Secret.
const outsideInterval = 5 * time.Minute

// lookAgain is the time to the next look at an instance that a reconcile has dealt
// with; zero leaves it to the watches.
func lookAgain(err error) time.Duration {
	if status.ConditionOf(err) == v1alpha1.ConditionResolved {
		return outsideInterval
	}
	return 0
}

// outside bounds how long an instance waits for something that is to resolve its
// spec, and that may never come.
func outside(err error) error {
	if after, waiting := outcome.IsWaiting(err); waiting && after == 0 {
		return outcome.Waiting(outcome.Reason(err, v1alpha1.ReasonProgressing), wait.Jitter(outsideInterval, 0.1), err)
	}
	return err
}
