package pages

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/locale"
)

// badge is a state as a word, with a color and an icon.
type badge struct{ Class, Icon, Text string }

// instanceBadges are the badges of the states of instances.
var instanceBadges = map[transitions.State]badge{
	transitions.Installing:      {"busy", "loader", "Installing"},
	transitions.InstallFailed:   {"bad", "circle-x", "Installation failed"},
	transitions.Running:         {"ok", "check", "Running"},
	transitions.Unhealthy:       {"bad", "circle-x", "Unhealthy"},
	transitions.Changing:        {"busy", "loader", "Changing"},
	transitions.ChangeFailed:    {"bad", "circle-x", "Change failed"},
	transitions.Stopped:         {"off", "pause", "Stopped"},
	transitions.Uninstalling:    {"busy", "loader", "Uninstalling"},
	transitions.UninstallFailed: {"bad", "circle-x", "Uninstallation failed"},
	transitions.Uninstalled:     {"off", "archive", "Uninstalled"},
	transitions.Deleting:        {"busy", "loader", "Deleting"},
}

func instanceBadge(instance *v1alpha1.AppInstance) badge {
	return instanceBadges[transitions.StateOf(instance)]
}

// taskBadges are the badges of a task that waits, by the reason of Reconciling.
var taskBadges = map[string]badge{
	v1alpha1.ReasonWaitingForInput:      {"warn", "pencil", "Waiting for input"},
	v1alpha1.ReasonWaitingForTurn:       {"busy", "clock", "Queued"},
	v1alpha1.ReasonWaitingForApp:        {"busy", "clock", "Waiting for the app"},
	v1alpha1.ReasonWaitingForSource:     {"busy", "clock", "Waiting for the source"},
	v1alpha1.ReasonWaitingForDependency: {"busy", "clock", "Waiting for a dependency"},
	v1alpha1.ReasonWaitingForObjects:    {"busy", "loader", "Waiting for objects"},
	v1alpha1.ReasonPurchasePending:      {"busy", "clock", "Waiting for the purchase"},
	v1alpha1.ReasonSuspended:            {"off", "pause", "Suspended"},
	v1alpha1.ReasonProgressing:          {"busy", "loader", "In progress"},
}

func taskBadge(task *v1alpha1.AppInstallTask) badge {
	conditions := task.Status.Conditions
	if task.IsDryRun() && task.Finished() {
		return dryRunBadge(conditions)
	}
	if done := meta.FindStatusCondition(conditions, v1alpha1.ConditionSucceeded); done != nil {
		switch done.Status {
		case metav1.ConditionTrue:
			return badge{"ok", "check", "Succeeded"}
		case metav1.ConditionFalse:
			if done.Reason == v1alpha1.ReasonCanceled {
				return badge{"off", "ban", "Canceled"}
			}
			if task.Finished() {
				return badge{"bad", "circle-x", "Failed"}
			}
		case metav1.ConditionUnknown:
		}
	}
	if working := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling); working != nil {
		if known, ok := taskBadges[working.Reason]; ok {
			return known
		}
		if working.Reason != v1alpha1.ReasonProgressingWithRetry {
			return badge{"busy", "clock", "Waiting"}
		}
	}
	return taskBadges[v1alpha1.ReasonProgressing]
}

// dryRunBadge returns the badge of a finished dry run, which is neither a success nor a failure of an
// operation.
func dryRunBadge(conditions []metav1.Condition) badge {
	if meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionSucceeded) {
		return badge{"off", "info", "Planned"}
	}
	return badge{"off", "ban", "Not possible"}
}

// readyBadge returns the badge of the condition Ready of a source or an app.
func readyBadge(conditions []metav1.Condition, suspended bool) badge {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case suspended:
		return badge{"off", "pause", "Suspended"}
	case ready == nil || ready.Status == metav1.ConditionUnknown:
		return badge{"busy", "loader", "In progress"}
	case ready.Status == metav1.ConditionFalse:
		return badge{"bad", "circle-x", "Not ready"}
	case ready.Reason == v1alpha1.ReasonServingPrevious:
		return badge{"warn", "triangle-alert", "Serving the previous version"}
	}
	return badge{"ok", "check", "Ready"}
}

// milestone is a step of a progress bar.
type milestone struct {
	Name string
	// Class is done, failed, current or ahead.
	Class, Icon string
	// Took is the time since the milestone before.
	Took            string
	Reason, Message string
}

// milestonesOf returns progress conditions in their order. begun is when the first one started.
func milestonesOf(l *locale.Language, conditions []metav1.Condition, begun time.Time, finished bool, types ...string) []milestone {
	steps := make([]milestone, 0, len(types))
	current := false
	for _, name := range types {
		step := milestone{Name: name, Class: "ahead", Icon: "circle"}
		c := meta.FindStatusCondition(conditions, name)
		switch {
		case c == nil || c.Status == metav1.ConditionUnknown || c.Reason == v1alpha1.ReasonProgressing:
			if !current && !finished {
				step.Class, step.Icon, current = "current", "loader", true
			}
		case c.Status == metav1.ConditionTrue:
			step.Class, step.Icon = "done", "check"
			if !begun.IsZero() && !c.LastTransitionTime.Time.Before(begun) {
				step.Took = formatDuration(l, c.LastTransitionTime.Sub(begun))
			}
			begun = c.LastTransitionTime.Time
		default:
			step.Class, step.Icon, step.Reason, step.Message = "failed", "circle-x", c.Reason, c.Message
			current = true
		}
		if c != nil && step.Class == "current" {
			step.Reason, step.Message = c.Reason, c.Message
		}
		steps = append(steps, step)
	}
	return steps
}
