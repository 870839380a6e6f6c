package admission

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Check adds the problems that it finds to the findings. An error means that it could not check.
type Check func(ctx context.Context, o *Operation, f *Findings) error

// InstallChecks are the checks of an app before it is installed, except for those that need the
// rendered app.
var InstallChecks = []Check{
	CheckWithdrawn, CheckListing, CheckAdministrator, CheckPlatformVersion, CheckDependencies, CheckSharedCharts, CheckConflicts,
	CheckSingleInstance, CheckClusterSingleton,
}

// AdoptChecks are the checks of an app before an existing release of it is adopted.
var AdoptChecks = []Check{CheckAdministrator, CheckClusterSingleton}

// UpgradeChecks are the checks of an app before it is upgraded, except for those that need the
// rendered app.
var UpgradeChecks = []Check{CheckListing, CheckPlatformVersion, CheckDependencies}

// RunChecks runs checks in order.
func RunChecks(ctx context.Context, o *Operation, f *Findings, checks ...Check) error {
	for _, check := range checks {
		if err := check(ctx, o, f); err != nil {
			return err
		}
	}
	return nil
}

// The bounds of the interval between two checks of a waiting object. The interval grows with the
// waiting time, because objects that are applied together with it appear soon.
const (
	minInterval = 10 * time.Second
	// MaxInterval is the maximum interval between two checks.
	MaxInterval = 5 * time.Minute
)

// CheckInterval returns the time until a waiting object is checked again: half of the time that it
// has waited, within the bounds.
func CheckInterval(object v1alpha1.Object, now time.Time) time.Duration {
	c := meta.FindStatusCondition(object.GetConditions(), v1alpha1.ConditionReconciling)
	if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != object.GetGeneration() {
		return minInterval
	}
	return min(max(now.Sub(c.LastTransitionTime.Time)/2, minInterval), MaxInterval)
}
