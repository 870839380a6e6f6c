// Package status is the one writer of status, the same for all kinds.
//
// A reconcile begins with a Keeper and ends by handing it the error that the
// phases returned. What the error means (internal/outcome) decides on the root
// condition, on Reconciling and Stalled, on observedGeneration and on what the
// work queue is told; Conclude is that decision, a pure function. The Keeper then
// writes status once, with an optimistic lock, and not at all if nothing changed,
// and emits an event for every transition.
//
// A phase says which milestone an error belongs to by At, and marks those that
// are reached by Keeper.Reached. Milestones behind a failed one are taken away,
// so that the list of conditions reads as a progress bar.
package status

import (
	"cmp"
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Kind is the root condition of a kind, its milestones in order, and its marks:
// conditions that exist only while they are True.
type ConditionSet struct {
	Summary  string
	Progress []string
	Flags    []string
}

// The four kinds.
var (
	MarketSource = ConditionSet{
		Summary:  v1alpha1.ConditionReady,
		Progress: []string{v1alpha1.ConditionReached, v1alpha1.ConditionIndexed},
		Flags:    []string{v1alpha1.ConditionSharingIgnored},
	}
	AppInfo = ConditionSet{
		Summary: v1alpha1.ConditionReady,
		Progress: []string{
			v1alpha1.ConditionFetched, v1alpha1.ConditionRendered, v1alpha1.ConditionCustomized,
			v1alpha1.ConditionAnalyzed, v1alpha1.ConditionPublished,
		},
	}
	AppInstance = ConditionSet{
		Summary:  v1alpha1.ConditionReady,
		Progress: []string{v1alpha1.ConditionResolved, v1alpha1.ConditionApplied, v1alpha1.ConditionHealthy},
		Flags:    []string{v1alpha1.ConditionDrifted},
	}
	AppInstallTask = ConditionSet{
		Summary: v1alpha1.ConditionSucceeded,
		Progress: []string{
			v1alpha1.ConditionAdmitted, v1alpha1.ConditionResolved, v1alpha1.ConditionApplied, v1alpha1.ConditionHealthy,
		},
	}
)

// sorted puts conditions in the order in which they are read: the milestones as a
// progress bar, the root condition, what goes on or has stalled, and the marks.
func (s ConditionSet) sortConditions(conditions []metav1.Condition) []metav1.Condition {
	order := slices.Concat(s.Progress, []string{s.Summary, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled}, s.Flags)
	position := func(c metav1.Condition) int {
		if at := slices.Index(order, c.Type); at >= 0 {
			return at
		}
		return len(order)
	}
	sorted := slices.Clone(conditions)
	slices.SortStableFunc(sorted, func(a, b metav1.Condition) int { return cmp.Compare(position(a), position(b)) })
	return sorted
}

// at is an error that belongs to a milestone.
type conditionError struct {
	conditionType string
	err           error
}

func (e *conditionError) Error() string { return e.err.Error() }
func (e *conditionError) Unwrap() error { return e.err }

// At says which milestone err kept from being reached. A nil error stays nil.
func ForCondition(conditionType string, err error) error {
	if err == nil {
		return nil
	}
	return &conditionError{conditionType: conditionType, err: err}
}

// Milestone is the one that err belongs to, empty if it belongs to none.
func ConditionOf(err error) string {
	if e, ok := errors.AsType[*conditionError](err); ok {
		return e.conditionType
	}
	return ""
}
