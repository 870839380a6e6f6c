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

// in returns the badge with its text, which is a message, in a language.
func (b badge) in(l *locale.Language) badge {
	b.Text = l.Text(b.Text)
	return b
}

// instanceBadges are the badges of the states of instances. Their texts are messages.
var instanceBadges = map[transitions.State]badge{
	transitions.Installing:      {"busy", "loader", "state.installing"},
	transitions.InstallFailed:   {"bad", "circle-x", "state.installFailed"},
	transitions.Running:         {"ok", "check", "state.running"},
	transitions.Unhealthy:       {"bad", "circle-x", "state.unhealthy"},
	transitions.Changing:        {"busy", "loader", "state.changing"},
	transitions.ChangeFailed:    {"bad", "circle-x", "state.changeFailed"},
	transitions.Stopped:         {"off", "pause", "state.stopped"},
	transitions.Uninstalling:    {"busy", "loader", "state.uninstalling"},
	transitions.UninstallFailed: {"bad", "circle-x", "state.uninstallFailed"},
	transitions.Uninstalled:     {"off", "archive", "state.uninstalled"},
	transitions.Deleting:        {"busy", "loader", "state.deleting"},
}

func instanceBadge(l *locale.Language, instance *v1alpha1.AppInstance) badge {
	return instanceBadges[transitions.StateOf(instance)].in(l)
}

// taskBadges are the badges of a task that waits, by the reason of Reconciling. Their texts are messages.
var taskBadges = map[string]badge{
	v1alpha1.ReasonWaitingForInput:      {"warn", "pencil", "state.waitingForInput"},
	v1alpha1.ReasonWaitingForTurn:       {"busy", "clock", "state.queued"},
	v1alpha1.ReasonWaitingForApp:        {"busy", "clock", "state.waitingForApp"},
	v1alpha1.ReasonWaitingForSource:     {"busy", "clock", "state.waitingForSource"},
	v1alpha1.ReasonWaitingForDependency: {"busy", "clock", "state.waitingForDependency"},
	v1alpha1.ReasonWaitingForObjects:    {"busy", "loader", "state.waitingForObjects"},
	v1alpha1.ReasonPurchasePending:      {"busy", "clock", "state.waitingForPurchase"},
	v1alpha1.ReasonSuspended:            {"off", "pause", "state.suspended"},
	v1alpha1.ReasonProgressing:          {"busy", "loader", "state.inProgress"},
}

func taskBadge(l *locale.Language, task *v1alpha1.AppInstallTask) badge {
	conditions := task.Status.Conditions
	if task.IsDryRun() && task.Finished() {
		return dryRunBadge(l, conditions)
	}
	if done := meta.FindStatusCondition(conditions, v1alpha1.ConditionSucceeded); done != nil {
		switch done.Status {
		case metav1.ConditionTrue:
			return badge{"ok", "check", l.Text("state.succeeded")}
		case metav1.ConditionFalse:
			if done.Reason == v1alpha1.ReasonCanceled {
				return badge{"off", "ban", l.Text("state.canceled")}
			}
			if task.Finished() {
				return badge{"bad", "circle-x", l.Text("state.failed")}
			}
		case metav1.ConditionUnknown:
		}
	}
	if working := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling); working != nil {
		if known, ok := taskBadges[working.Reason]; ok {
			return known.in(l)
		}
		if working.Reason != v1alpha1.ReasonProgressingWithRetry {
			return badge{"busy", "clock", l.Text("state.waiting")}
		}
	}
	return taskBadges[v1alpha1.ReasonProgressing].in(l)
}

// dryRunBadge returns the badge of a finished dry run, which is neither a success nor a failure of an
// operation.
func dryRunBadge(l *locale.Language, conditions []metav1.Condition) badge {
	if meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionSucceeded) {
		return badge{"off", "info", l.Text("state.planned")}
	}
	return badge{"off", "ban", l.Text("state.notPossible")}
}

// readyBadge returns the badge of the condition Ready of a source or an app.
func readyBadge(l *locale.Language, conditions []metav1.Condition, suspended bool) badge {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case suspended:
		return badge{"off", "pause", l.Text("state.suspended")}
	case ready == nil || ready.Status == metav1.ConditionUnknown:
		return badge{"busy", "loader", l.Text("state.inProgress")}
	case ready.Status == metav1.ConditionFalse:
		return badge{"bad", "circle-x", l.Text("state.notReady")}
	case ready.Reason == v1alpha1.ReasonServingPrevious:
		return badge{"warn", "triangle-alert", l.Text("state.servingPrevious")}
	}
	return badge{"ok", "check", l.Text("state.ready")}
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
