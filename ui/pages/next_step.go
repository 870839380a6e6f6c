package pages

import (
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/locale"
)

// nextStep is what a user can do in the state of a task. URL and Link are empty if there is nothing to do.
type nextStep struct{ Text, URL, Link string }

// nextStepOf returns the next step of a task with a badge. again is the URL of the form with the entries of
// the task, empty if there is none.
func nextStepOf(l *locale.Language, task *v1alpha1.AppInstallTask, state badge, again string) nextStep {
	instance := nextStep{}
	if task.Status.InstanceRef != nil {
		instance = nextStep{URL: instanceURL(task.Namespace, task.Status.InstanceRef.Name), Link: l.Text("task.showInstance")}
	}
	switch {
	case task.Finished() && state.Class == "ok":
		instance.Text = l.Text("finished." + string(task.Spec.Action))
		return instance
	case task.Finished() && again != "":
		return nextStep{URL: again, Link: l.Text("nextStep.again")}
	case task.Finished():
		return instance
	case len(task.Status.RequiredInputs) > 0:
		return nextStep{
			Text: l.Text("nextStep.inputs"), URL: taskActionURL(task.Namespace, task.Name, "inputs"), Link: l.Text("nextStep.enterInputs"),
		}
	case isWaiting(task):
		return nextStep{Text: l.Text("nextStep.waiting")}
	}
	instance.Text = l.Text("nextStep.running")
	return instance
}

// waitingReason returns the reason for which a task waits before its start, empty if it does not wait.
func waitingReason(task *v1alpha1.AppInstallTask) string {
	working := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling)
	if task.Finished() || working == nil || task.Status.StartTime != nil {
		return ""
	}
	switch working.Reason {
	case v1alpha1.ReasonProgressing, v1alpha1.ReasonProgressingWithRetry:
		return ""
	}
	return working.Reason
}

// isWaiting reports whether a task waits before its start.
func isWaiting(task *v1alpha1.AppInstallTask) bool { return waitingReason(task) != "" }

// blockedText returns what a waiting task blocks, empty if it blocks nothing.
func blockedText(l *locale.Language, task *v1alpha1.AppInstallTask) string {
	switch waitingReason(task) {
	case "", v1alpha1.ReasonWaitingForTurn:
		return ""
	}
	return l.Text("nextStep.blocks", "Instance", task.Instance())
}
