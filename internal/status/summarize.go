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

// maxMessageLength bounds the message of a condition in bytes. kubectl describe shows
// messages of this length readably.
const maxMessageLength = 1024

// Summary specifies the summary condition for when the reconcile succeeds, and for when it
// fails while the object still serves a previous version.
type Summary struct {
	Reason  string
	Message string
	// Serving keeps the summary condition True when the reconcile fails.
	Serving bool
	// Interim is the message of the summary condition while the reconcile is in progress or
	// has failed. Defaults to the message of the error.
	Interim string
	// Unready sets the summary condition to Unknown while the reconcile is in progress.
	Unready bool
}

// Result is the result of a reconcile for the work queue.
type Result struct {
	// Done reports that the current generation was processed, whether successfully or not.
	Done bool
	// Err is returned to the queue for a retry with backoff.
	Err error
	// Terminal reports that the reconcile failed and is not retried.
	Terminal bool
	// After is the maximum time until the next reconcile. If zero, the caller decides.
	After time.Duration
}

// Summarize implements the retry policy. It updates the conditions according to the error
// that a reconcile returned:
//
//	error    summary condition  Reconciling             Stalled
//	nil      True               removed                 removed
//	plain    False, its reason  ProgressingWithRetry    removed
//	Waiting  kept, or Unknown   its reason              removed
//	Stalled  False, its reason  removed                 its reason
//
// A progress condition that waits is removed, or False if the error is of ForUnmetCondition. While
// the object serves a previous version, the summary condition stays True for plain and
// Stalled errors. A suspended object of a long-lived kind keeps its summary condition, is not
// Reconciling and counts as done, so that kstatus does not wait for it.
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

// markFailed sets the failed condition and the summary condition to False, and removes the
// conditions after the failed one.
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

// markWaiting reports whether the object is suspended and of a long-lived kind.
func (s *summarizer) markWaiting(summary Summary, err error) (paused bool) {
	reason := outcome.Reason(err, v1alpha1.ReasonProgressing)
	if reason == v1alpha1.ReasonSuspended && s.conditionSet.Summary == v1alpha1.ConditionReady {
		s.markSuspended(reason, err.Error())
		return true
	}
	if conditionType := ConditionOf(err); conditionType != "" {
		if isUnmetCondition(err) {
			s.setCondition(conditionType, metav1.ConditionFalse, reason, err.Error())
		} else {
			s.removeConditions(conditionType)
		}
		s.removeLaterConditions(conditionType)
	}
	s.removeConditions(v1alpha1.ConditionStalled)
	s.setCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, reason, err.Error())
	switch current := meta.FindStatusCondition(s.conditions, s.conditionSet.Summary); {
	case current == nil || current.Status != metav1.ConditionTrue || summary.Unready:
		s.setCondition(s.conditionSet.Summary, metav1.ConditionUnknown, reason, cmp.Or(summary.Interim, err.Error()))
	case summary.Interim != "":
		current.Message = truncateMessage(summary.Interim) // The observed generation of the condition is kept.
	}
	return false
}

// markSuspended removes Reconciling. A final failure stays; a failure that was being retried
// becomes Unknown. An object that is serving stays ready, with a message that it is
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

// truncateMessage returns a message that the API server stores unchanged.
func truncateMessage(message string) string {
	return text.Shorten(strings.ToValidUTF8(message, "\uFFFD"), maxMessageLength)
}
