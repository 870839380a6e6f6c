package status

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

// maxMessage bounds the message of a condition in bytes; it is what kubectl
// describe still shows well.
const maxMessageLength = 1024

// Root is what the root condition says when all is well, or, while the object
// still serves what it did before, although the work failed.
type Summary struct {
	Reason  string
	Message string
	// Serving keeps the root condition True through a failure.
	Serving bool
	// Now is what the root condition says while work goes on or has failed. If not
	// specified, it says what the error does.
	Interim string
	// Unready says that the root condition does not stay True while work goes on.
	Unready bool
}

// Verdict is what the work queue is told.
type Result struct {
	// Done says that the spec of this generation was dealt with, for better or
	// worse.
	Done bool
	// Err is returned to the queue for a retry with back-off.
	Err error
	// Terminal says that the work failed and is not tried again by itself.
	Terminal bool
	// After is when to look again at the latest; zero leaves it to the caller.
	After time.Duration
}

// Conclude is the whole retry policy. It brings the conditions in line with the
// error a reconcile ended with:
//
//	error    root condition     Reconciling             Stalled
//	nil      True               removed                 removed
//	plain    False, its reason  ProgressingWithRetry    removed
//	Waiting  kept, or Unknown   its reason              removed
//	Stalled  False, its reason  removed                 its reason
//
// A root that is still served stays True through plain and Stalled. What lives
// and is suspended keeps its root condition, is not Reconciling and counts as dealt
// with, so that kstatus does not wait for it.
func Summarize(conditions []metav1.Condition, set ConditionSet, generation int64, summary Summary, err error) ([]metav1.Condition, Result) {
	s := &summarizer{conditions: slices.Clone(conditions), conditionSet: set, generation: generation}
	after, waiting := outcome.IsWaiting(err)
	switch {
	case err == nil:
		s.setCondition(set.Summary, metav1.ConditionTrue, summary.Reason, summary.Message)
		s.removeConditions(v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled)
		return s.conditions, Result{Done: true}
	case waiting:
		paused := s.markWaiting(summary, err)
		return s.conditions, Result{Done: paused, After: after}
	case outcome.IsStalled(err):
		reason := outcome.Reason(err, v1alpha1.ReasonInvalidSpec)
		s.markFailed(reason, summary, err)
		s.setCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, err.Error())
		s.removeConditions(v1alpha1.ConditionReconciling)
		return s.conditions, Result{Done: true, Err: err, Terminal: true}
	default:
		s.markFailed(outcome.Reason(err, v1alpha1.ReasonProgressingWithRetry), summary, err)
		s.setCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressingWithRetry, err.Error())
		s.removeConditions(v1alpha1.ConditionStalled)
		return s.conditions, Result{Err: err}
	}
}

type summarizer struct {
	conditions   []metav1.Condition
	conditionSet ConditionSet
	generation   int64
}

func (s *summarizer) setCondition(conditionType string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&s.conditions, metav1.Condition{
		Type: conditionType, Status: status, Reason: reason, Message: truncateMessage(message), ObservedGeneration: s.generation,
	})
}

func (s *summarizer) removeConditions(conditionTypes ...string) {
	for _, conditionType := range conditionTypes {
		meta.RemoveStatusCondition(&s.conditions, conditionType)
	}
}

// fail sets the milestone that failed and the root to False, and takes away the
// milestones behind.
func (s *summarizer) markFailed(reason string, summary Summary, err error) {
	if conditionType := ConditionOf(err); conditionType != "" {
		s.setCondition(conditionType, metav1.ConditionFalse, reason, err.Error())
		s.removeLaterConditions(conditionType)
	}
	if summary.Serving {
		s.setCondition(s.conditionSet.Summary, metav1.ConditionTrue, v1alpha1.ReasonServingPrevious, summary.Message)
		return
	}
	s.setCondition(s.conditionSet.Summary, metav1.ConditionFalse, reason, cmp.Or(summary.Interim, err.Error()))
}

// wait reports whether the object is of a kind that lives, and suspended.
func (s *summarizer) markWaiting(summary Summary, err error) (paused bool) {
	reason := outcome.Reason(err, v1alpha1.ReasonProgressing)
	if reason == v1alpha1.ReasonSuspended && s.conditionSet.Summary == v1alpha1.ConditionReady {
		s.markSuspended(reason, err.Error())
		return true
	}
	if conditionType := ConditionOf(err); conditionType != "" {
		s.removeConditions(conditionType)
		s.removeLaterConditions(conditionType)
	}
	s.removeConditions(v1alpha1.ConditionStalled)
	s.setCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, reason, err.Error())
	switch current := meta.FindStatusCondition(s.conditions, s.conditionSet.Summary); {
	case current == nil || current.Status != metav1.ConditionTrue || summary.Unready:
		s.setCondition(s.conditionSet.Summary, metav1.ConditionUnknown, reason, cmp.Or(summary.Interim, err.Error()))
	case summary.Interim != "":
		current.Message = truncateMessage(summary.Interim) // It is True of the generation that it speaks of.
	}
	return false
}

// pause puts an object at rest. A failure that was final stays so; what was tried again
// is not any more. What is served is served on, and the root condition says that it is
// suspended.
func (s *summarizer) markSuspended(reason, message string) {
	s.removeConditions(v1alpha1.ConditionReconciling)
	summary := meta.FindStatusCondition(s.conditions, s.conditionSet.Summary)
	switch {
	case summary != nil && summary.Status == metav1.ConditionTrue:
		if !strings.HasPrefix(summary.Message, message) {
			summary.Message = truncateMessage(message + "; " + summary.Message)
		}
	case !meta.IsStatusConditionTrue(s.conditions, v1alpha1.ConditionStalled):
		s.setCondition(s.conditionSet.Summary, metav1.ConditionUnknown, reason, message)
	}
}

func (s *summarizer) removeLaterConditions(conditionType string) {
	if at := slices.Index(s.conditionSet.Progress, conditionType); at >= 0 {
		s.removeConditions(s.conditionSet.Progress[at+1:]...)
	}
}

// truncate makes a message one that the API server stores as it is.
func truncateMessage(message string) string {
	return text.Shorten(strings.ToValidUTF8(message, "\uFFFD"), maxMessageLength)
}
