// Package status writes the status of all kinds.
//
// A reconcile creates a Writer at its beginning, and at its end passes the error that the
// phases returned to Finish. The classification of the error (package outcome) determines the
// summary condition, Reconciling, Stalled, observedGeneration and the result for the work
// queue. Summarize, a pure function, implements this. The Writer writes status once, with an
// optimistic lock, and only if it changed, and emits an event for each transition.
//
// A phase attaches its condition to an error with ForCondition, and reports success with
// Writer.MarkTrue. The conditions after a failed condition are removed, so that the list of
// conditions reads as a progress bar.
package status

import (
	"cmp"
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// ConditionSet contains the condition types of a kind: the summary condition, the progress
// conditions in order, the facts, which can be True or False at any time, and the flags, which exist
// only while they are True.
type ConditionSet struct {
	Summary  string
	Progress []string
	Facts    []string
	Flags    []string
}

// The condition sets of the four kinds.
var (
	MarketSource = ConditionSet{
		Summary:  v1alpha1.ConditionReady,
		Progress: []string{v1alpha1.ConditionReachable, v1alpha1.ConditionIndexed},
		Flags:    []string{v1alpha1.ConditionAllowedNamespacesIgnored},
	}
	AppInfo = ConditionSet{
		Summary: v1alpha1.ConditionReady,
		Progress: []string{
			v1alpha1.ConditionFetched, v1alpha1.ConditionRendered, v1alpha1.ConditionCustomized,
			v1alpha1.ConditionAnalyzed, v1alpha1.ConditionPublished,
		},
		Facts: []string{v1alpha1.ConditionListed},
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

// sortConditions sorts conditions for reading: the progress conditions in order, the summary
// condition, Reconciling, Stalled, the facts, and the flags.
func (s ConditionSet) sortConditions(conditions []metav1.Condition) []metav1.Condition {
	order := slices.Concat(s.Progress, []string{s.Summary, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled}, s.Facts, s.Flags)
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

// conditionError is an error that makes a condition False.
type conditionError struct {
	conditionType string
	isUnmet       bool
	err           error
}

func (e *conditionError) Error() string { return e.err.Error() }
func (e *conditionError) Unwrap() error { return e.err }

// ForCondition attaches the condition type that err makes False. It returns nil for a nil
// error. The condition of a waiting error is removed.
func ForCondition(conditionType string, err error) error {
	if err == nil || ConditionOf(err) == conditionType {
		return err
	}
	return &conditionError{conditionType: conditionType, err: err}
}

// ForUnmetCondition works like ForCondition, but the condition of a waiting error is False too. Use
// it for a requirement of the spec that is not met yet.
func ForUnmetCondition(conditionType string, err error) error {
	if err == nil {
		return nil
	}
	return &conditionError{conditionType: conditionType, isUnmet: true, err: err}
}

// isUnmetCondition reports whether err was made by ForUnmetCondition.
func isUnmetCondition(err error) bool {
	e, ok := errors.AsType[*conditionError](err)
	return ok && e.isUnmet
}

// ConditionOf returns the condition type that is attached to err, empty if there is none.
func ConditionOf(err error) string {
	if e, ok := errors.AsType[*conditionError](err); ok {
		return e.conditionType
	}
	return ""
}
