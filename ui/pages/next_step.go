package pages

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
)

// nextStep is what a user can do in the state of a task. URL and Link are empty if there is nothing to do.
type nextStep struct{ Text, URL, Link string }

// nextStepOf returns the next step of a task with a badge. again is the URL of the form with the entries of
// the task, empty if there is none.
func nextStepOf(task *v1alpha1.AppInstallTask, state badge, again string) nextStep {
	instance := nextStep{}
	if task.Status.InstanceRef != nil {
		instance = nextStep{URL: instanceURL(task.Namespace, task.Status.InstanceRef.Name), Link: "Show instance"}
	}
	switch {
	case task.Finished() && state.Class == "ok":
		instance.Text = finishedTexts[task.Spec.Action]
		return instance
	case task.Finished() && again != "":
		return nextStep{URL: again, Link: "Change and try again"}
	case task.Finished():
		return instance
	case len(task.Status.RequiredInputs) > 0:
		return nextStep{
			Text: "The task continues when all inputs have valid values.", URL: taskActionURL(task.Namespace, task.Name, "inputs"), Link: "Enter the inputs",
		}
	case isWaiting(task):
		return nextStep{Text: "The task continues automatically when the reason below no longer applies."}
	}
	instance.Text = "The operation is in progress. It continues if you leave this page."
	return instance
}

// finishedTexts are the sentences about a task that has succeeded.
var finishedTexts = map[v1alpha1.Action]string{
	v1alpha1.ActionInstall:   "The app is installed, and its objects are ready.",
	v1alpha1.ActionUpgrade:   "The instance is upgraded, and its objects are ready.",
	v1alpha1.ActionConfigure: "The configuration is changed, and the objects are ready.",
	v1alpha1.ActionRollback:  "The instance is rolled back, and its objects are ready.",
	v1alpha1.ActionClone:     "The clone is installed, and its objects are ready.",
	v1alpha1.ActionAdopt:     "The Helm release is managed as an instance.",
	v1alpha1.ActionStop:      "The workloads are stopped. Objects and data are kept.",
	v1alpha1.ActionResume:    "The workloads run again.",
	v1alpha1.ActionRestart:   "The pods are replaced, and the objects are ready.",
	v1alpha1.ActionUninstall: "The app is uninstalled. The record of the instance lists what was retained.",
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
func blockedText(task *v1alpha1.AppInstallTask) string {
	switch waitingReason(task) {
	case "", v1alpha1.ReasonWaitingForTurn:
		return ""
	}
	return fmt.Sprintf("While this task waits, it blocks the queue of instance %s: later tasks for the instance wait, too. Cancel the task to unblock the queue.", task.Instance())
}
