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
func Summarize(conditions []metav1.Condition, kind ConditionSet, generation int64, root Summary, err error) ([]metav1.Condition, Result) {
	c := &summarizer{conditions: slices.Clone(conditions), conditionSet: kind, generation: generation}
	after, waiting := outcome.IsWaiting(err)
	switch {
	case err == nil:
		c.setCondition(kind.Summary, metav1.ConditionTrue, root.Reason, root.Message)
		c.removeConditions(v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled)
		return c.conditions, Result{Done: true}
	case waiting:
		paused := c.markWaiting(root, err)
		return c.conditions, Result{Done: paused, After: after}
	case outcome.IsStalled(err):
		reason := outcome.Reason(err, v1alpha1.ReasonInvalidSpec)
		c.markFailed(reason, root, err)
		c.setCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, err.Error())
		c.removeConditions(v1alpha1.ConditionReconciling)
		return c.conditions, Result{Done: true, Err: err, Terminal: true}
	default:
		c.markFailed(outcome.Reason(err, v1alpha1.ReasonProgressingWithRetry), root, err)
		c.setCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressingWithRetry, err.Error())
		c.removeConditions(v1alpha1.ConditionStalled)
		return c.conditions, Result{Err: err}
	}
}

type summarizer struct {
	conditions   []metav1.Condition
	conditionSet ConditionSet
	generation   int64
}

func (c *summarizer) setCondition(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&c.conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: truncateMessage(message), ObservedGeneration: c.generation,
	})
}

func (c *summarizer) removeConditions(kinds ...string) {
	for _, kind := range kinds {
		meta.RemoveStatusCondition(&c.conditions, kind)
	}
}

// fail sets the milestone that failed and the root to False, and takes away the
// milestones behind.
func (c *summarizer) markFailed(reason string, root Summary, err error) {
	if milestone := ConditionOf(err); milestone != "" {
		c.setCondition(milestone, metav1.ConditionFalse, reason, err.Error())
		c.removeLaterConditions(milestone)
	}
	if root.Serving {
		c.setCondition(c.conditionSet.Summary, metav1.ConditionTrue, v1alpha1.ReasonServingPrevious, root.Message)
		return
	}
	c.setCondition(c.conditionSet.Summary, metav1.ConditionFalse, reason, cmp.Or(root.Interim, err.Error()))
}

// wait reports whether the object is of a kind that lives, and suspended.
func (c *summarizer) markWaiting(root Summary, err error) (paused bool) {
	reason := outcome.Reason(err, v1alpha1.ReasonProgressing)
	if reason == v1alpha1.ReasonSuspended && c.conditionSet.Summary == v1alpha1.ConditionReady {
		c.markSuspended(reason, err.Error())
		return true
	}
	if milestone := ConditionOf(err); milestone != "" {
		c.removeConditions(milestone)
		c.removeLaterConditions(milestone)
	}
	c.removeConditions(v1alpha1.ConditionStalled)
	c.setCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, reason, err.Error())
	switch current := meta.FindStatusCondition(c.conditions, c.conditionSet.Summary); {
	case current == nil || current.Status != metav1.ConditionTrue || root.Unready:
		c.setCondition(c.conditionSet.Summary, metav1.ConditionUnknown, reason, cmp.Or(root.Interim, err.Error()))
	case root.Interim != "":
		current.Message = truncateMessage(root.Interim) // It is True of the generation that it speaks of.
	}
	return false
}

// pause puts an object at rest. A failure that was final stays so; what was tried again
// is not any more. What is served is served on, and the root condition says that it is
// suspended.
func (c *summarizer) markSuspended(reason, message string) {
	c.removeConditions(v1alpha1.ConditionReconciling)
	root := meta.FindStatusCondition(c.conditions, c.conditionSet.Summary)
	switch {
	case root != nil && root.Status == metav1.ConditionTrue:
		if !strings.HasPrefix(root.Message, message) {
			root.Message = truncateMessage(message + "; " + root.Message)
		}
	case !meta.IsStatusConditionTrue(c.conditions, v1alpha1.ConditionStalled):
		c.setCondition(c.conditionSet.Summary, metav1.ConditionUnknown, reason, message)
	}
}

func (c *summarizer) removeLaterConditions(milestone string) {
	if at := slices.Index(c.conditionSet.Progress, milestone); at >= 0 {
		c.removeConditions(c.conditionSet.Progress[at+1:]...)
	}
}

// truncate makes a message one that the API server stores as it is.
func truncateMessage(message string) string {
	return text.Shorten(strings.ToValidUTF8(message, "\uFFFD"), maxMessageLength)
}
