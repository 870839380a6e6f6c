package follow

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Result is the result of a task, or the reason why it does not continue without its user.
type Result string

// The results.
const (
	// InProgress: the task has not ended and needs nothing from its user.
	InProgress Result = "InProgress"
	// Succeeded: the task has succeeded.
	Succeeded Result = "Succeeded"
	// Rejected: the task has failed and nothing was changed.
	Rejected Result = "Rejected"
	// Failed: the task has failed after it was admitted.
	Failed Result = "Failed"
	// Canceled: the task was canceled.
	Canceled Result = "Canceled"
	// Interrupted: another task or another change of the instance has interrupted the task.
	Interrupted Result = "Interrupted"
	// NeedsInput: the task waits for inputs.
	NeedsInput Result = "NeedsInput"
)

// ResultOf returns the result of a task.
func ResultOf(task *v1alpha1.AppInstallTask) Result {
	if !task.Finished() {
		if isWaitingForInput(task) {
			return NeedsInput
		}
		return InProgress
	}
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
	switch {
	case c == nil:
		return Failed
	case c.Status == metav1.ConditionTrue:
		return Succeeded
	case c.Reason == v1alpha1.ReasonCanceled:
		return Canceled
	case c.Reason == v1alpha1.ReasonInterrupted, c.Reason == v1alpha1.ReasonSuperseded:
		return Interrupted
	case task.Status.StartTime == nil:
		return Rejected
	}
	return Failed
}

// isWaitingForInput reports whether a task waits for inputs, as its present spec was checked.
func isWaitingForInput(task *v1alpha1.AppInstallTask) bool {
	c := waitCondition(task)
	return c != nil && c.Reason == v1alpha1.ReasonWaitingForInput && c.ObservedGeneration == task.Generation
}
