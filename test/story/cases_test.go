package story_test

import (
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/transitions"
)

// The actions, in the order of the table of transitions.
var actions = []v1alpha1.Action{
	v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionAdopt, v1alpha1.ActionUpgrade, v1alpha1.ActionConfigure,
	v1alpha1.ActionRollback, v1alpha1.ActionStop, v1alpha1.ActionResume, v1alpha1.ActionRestart, v1alpha1.ActionUninstall,
}

// how is the course of a test case.
type how string

const (
	succeeds  how = "succeeds"
	fails     how = "fails at"
	cancelled how = "cancelled"
	killed    how = "killed at"
)

// Moments at which a task is canceled.
const (
	whileSuspended    = "while suspended"
	behindAnother     = "behind another task"
	withoutInput      = "without an input"
	inHook            = "in a hook"
	waitingForObjects = "waiting for objects"
)

var moments = []string{whileSuspended, behindAnother, withoutInput, inHook, waitingForObjects}

// milestones are the conditions at which a task can fail.
var milestones = []string{
	v1alpha1.ConditionAdmitted, v1alpha1.ConditionResolved, v1alpha1.ConditionApplied, v1alpha1.ConditionHealthy,
}

// Ways to cancel a task.
const (
	byItself = "by spec.cancel"
	byTask   = "by a task"
)

// faultPoints are the failpoints at which the operator can be killed.
var faultPoints = []string{
	failpoint.TaskAdmitted, failpoint.TaskWritten, failpoint.InstanceBegun, failpoint.HelmRecordPending, failpoint.HelmHookCreated, failpoint.HelmHookEnded,
	failpoint.HelmObjectsApplied, failpoint.HelmObjectsDeleted, failpoint.HelmRecordFinal, failpoint.InstanceOperated, failpoint.InstanceSaved, failpoint.TaskNoted,
}

// A tale is one test case: an action, its course, and the point of the failure or cancellation.
type tale struct {
	action v1alpha1.Action
	how    how
	// at is a condition, a moment or a failpoint.
	at string
	// by is how the task is canceled.
	by string
	// onFailure is the failure policy of the task.
	onFailure v1alpha1.FailurePolicy
}

// what returns the name of the test case without its action.
func (t tale) what() string {
	said := string(t.how)
	for _, more := range []string{t.at, t.by} {
		if more != "" {
			said += " " + more
		}
	}
	if t.onFailure != "" {
		said += ", onFailure " + string(t.onFailure)
	}
	return said
}

func (t tale) String() string { return fmt.Sprintf("%s %s", t.action, t.what()) }

// begun reports whether the task has written its instance when it is canceled.
func (t tale) begun() bool { return t.at == inHook || t.at == waitingForObjects }

// committed reports whether the cancellation comes too late to have an effect.
func (t tale) committed() bool {
	return t.how == cancelled && t.begun() && transitions.Outcomes[t.action].Committed
}

// end returns the state that the table of transitions requires; Before stands for the initial
// state. failedAt is the condition at which the task failed.
func (t tale) end(failedAt string) transitions.State {
	effect := transitions.Outcomes[t.action]
	switch {
	case t.how == fails && t.onFailure == "":
		return effect.FailedAt(failedAt)
	case t.how == fails:
		return effect.Canceled
	case t.how == cancelled && !t.begun():
		return transitions.Before
	case t.how == cancelled && !effect.Committed:
		return effect.Canceled
	}
	return effect.Succeeded
}

// sideBySide returns the test cases that do not kill the operator and can run in parallel.
func sideBySide() []tale {
	var tales []tale
	for _, action := range actions {
		tales = append(tales, tale{action: action, how: succeeds})
		for _, milestone := range milestones {
			if _, ok := troubles(action)[milestone]; ok {
				tales = append(tales, tale{action: action, how: fails, at: milestone})
			}
		}
		if policy, ok := cleanups[action]; ok {
			for _, milestone := range []string{v1alpha1.ConditionApplied, v1alpha1.ConditionHealthy} {
				tales = append(tales, tale{action: action, how: fails, at: milestone, onFailure: policy})
			}
		}
		for _, moment := range moments {
			if _, ok := troubles(action)[moment]; ok {
				tales = append(tales,
					tale{action: action, how: cancelled, at: moment, by: byItself},
					tale{action: action, how: cancelled, at: moment, by: byTask})
			}
		}
	}
	return tales
}

// cleanups are the failure policies of the actions that can be reverted.
var cleanups = map[v1alpha1.Action]v1alpha1.FailurePolicy{
	v1alpha1.ActionInstall:   v1alpha1.FailureRemove,
	v1alpha1.ActionClone:     v1alpha1.FailureRemove,
	v1alpha1.ActionUpgrade:   v1alpha1.FailureRollback,
	v1alpha1.ActionConfigure: v1alpha1.FailureRollback,
	v1alpha1.ActionRollback:  v1alpha1.FailureRollback,
}

// kills returns the test cases in which the operator is killed.
func kills() []tale {
	var tales []tale
	for _, action := range actions {
		for _, point := range faultPoints {
			if passes(action, point) {
				tales = append(tales, tale{action: action, how: killed, at: point})
			}
		}
	}
	return tales
}

// passes reports whether an action reaches a failpoint. An action that creates a revision deletes
// no objects, an uninstallation creates no revision, and the other actions do not run Helm.
func passes(action v1alpha1.Action, point string) bool {
	switch point {
	case failpoint.HelmRecordPending, failpoint.HelmObjectsApplied:
		return helms(action) && action != v1alpha1.ActionUninstall
	case failpoint.HelmHookCreated, failpoint.HelmHookEnded, failpoint.HelmRecordFinal:
		return helms(action)
	case failpoint.HelmObjectsDeleted:
		return action == v1alpha1.ActionUninstall
	}
	return true
}

// helms reports whether an action runs Helm.
func helms(action v1alpha1.Action) bool {
	switch action {
	case v1alpha1.ActionStop, v1alpha1.ActionResume, v1alpha1.ActionRestart, v1alpha1.ActionAdopt:
		return false
	}
	return true
}

// absent returns why an action has no test case at a condition or a moment.
func absent(action v1alpha1.Action, at string) string {
	if _, ok := troubles(action)[at]; ok {
		return ""
	}
	switch at {
	case v1alpha1.ConditionHealthy, waitingForObjects:
		return "nothing is waited for: what has no pods is ready"
	case v1alpha1.ConditionResolved:
		return "the version is the one that is installed, or was"
	case withoutInput:
		return "no inputs are asked for"
	case inHook:
		return "no hooks are run"
	}
	return "there is no such thing"
}
