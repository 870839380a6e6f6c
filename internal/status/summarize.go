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
const maxMessage = 1024

// Root is what the root condition says when all is well, or, while the object
// still serves what it did before, although the work failed.
type Root struct {
	Reason  string
	Message string
	// Serving keeps the root condition True through a failure.
	Serving bool
	// Now is what the root condition says while work goes on or has failed. If not
	// specified, it says what the error does.
	Now string
	// Unready says that the root condition does not stay True while work goes on.
	Unready bool
}

// Verdict is what the work queue is told.
type Verdict struct {
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
func Conclude(conditions []metav1.Condition, kind Kind, generation int64, root Root, err error) ([]metav1.Condition, Verdict) {
	c := &conclusion{conditions: slices.Clone(conditions), kind: kind, generation: generation}
	after, waiting := outcome.IsWaiting(err)
	switch {
	case err == nil:
		c.set(kind.Root, metav1.ConditionTrue, root.Reason, root.Message)
		c.drop(v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled)
		return c.conditions, Verdict{Done: true}
	case waiting:
		paused := c.wait(root, err)
		return c.conditions, Verdict{Done: paused, After: after}
	case outcome.IsStalled(err):
		reason := outcome.Reason(err, v1alpha1.ReasonInvalidSpec)
		c.fail(reason, root, err)
		c.set(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, err.Error())
		c.drop(v1alpha1.ConditionReconciling)
		return c.conditions, Verdict{Done: true, Err: err, Terminal: true}
	default:
		c.fail(outcome.Reason(err, v1alpha1.ReasonProgressingWithRetry), root, err)
		c.set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressingWithRetry, err.Error())
		c.drop(v1alpha1.ConditionStalled)
		return c.conditions, Verdict{Err: err}
	}
}

type conclusion struct {
	conditions []metav1.Condition
	kind       Kind
	generation int64
}

func (c *conclusion) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&c.conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: truncate(message), ObservedGeneration: c.generation,
	})
}

func (c *conclusion) drop(kinds ...string) {
	for _, kind := range kinds {
		meta.RemoveStatusCondition(&c.conditions, kind)
	}
}

// fail sets the milestone that failed and the root to False, and takes away the
// milestones behind.
func (c *conclusion) fail(reason string, root Root, err error) {
	if milestone := Milestone(err); milestone != "" {
		c.set(milestone, metav1.ConditionFalse, reason, err.Error())
		c.dropBehind(milestone)
	}
	if root.Serving {
		c.set(c.kind.Root, metav1.ConditionTrue, v1alpha1.ReasonServingPrevious, root.Message)
		return
	}
	c.set(c.kind.Root, metav1.ConditionFalse, reason, cmp.Or(root.Now, err.Error()))
}

// wait reports whether the object is of a kind that lives, and suspended.
func (c *conclusion) wait(root Root, err error) (paused bool) {
	reason := outcome.Reason(err, v1alpha1.ReasonProgressing)
	if reason == v1alpha1.ReasonSuspended && c.kind.Root == v1alpha1.ConditionReady {
		c.pause(reason, err.Error())
		return true
	}
	if milestone := Milestone(err); milestone != "" {
		c.drop(milestone)
		c.dropBehind(milestone)
	}
	c.drop(v1alpha1.ConditionStalled)
	c.set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, reason, err.Error())
	switch current := meta.FindStatusCondition(c.conditions, c.kind.Root); {
	case current == nil || current.Status != metav1.ConditionTrue || root.Unready:
		c.set(c.kind.Root, metav1.ConditionUnknown, reason, cmp.Or(root.Now, err.Error()))
	case root.Now != "":
		current.Message = truncate(root.Now) // It is True of the generation that it speaks of.
	}
	return false
}

// pause puts an object at rest. A failure that was final stays so; what was tried again
// is not any more. What is served is served on, and the root condition says that it is
// suspended.
func (c *conclusion) pause(reason, message string) {
	c.drop(v1alpha1.ConditionReconciling)
	root := meta.FindStatusCondition(c.conditions, c.kind.Root)
	switch {
	case root != nil && root.Status == metav1.ConditionTrue:
		if !strings.HasPrefix(root.Message, message) {
			root.Message = truncate(message + "; " + root.Message)
		}
	case !meta.IsStatusConditionTrue(c.conditions, v1alpha1.ConditionStalled):
		c.set(c.kind.Root, metav1.ConditionUnknown, reason, message)
	}
}

func (c *conclusion) dropBehind(milestone string) {
	if at := slices.Index(c.kind.Milestones, milestone); at >= 0 {
		c.drop(c.kind.Milestones[at+1:]...)
	}
}

// truncate makes a message one that the API server stores as it is.
func truncate(message string) string {
	return text.Shorten(strings.ToValidUTF8(message, "\uFFFD"), maxMessage)
}
