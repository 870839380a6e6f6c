package story_test

import (
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/transitions"
)

// The actions of the table, in its order.
var actions = []v1alpha1.Action{
	v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionAdopt, v1alpha1.ActionUpgrade, v1alpha1.ActionRollback,
	v1alpha1.ActionStop, v1alpha1.ActionResume, v1alpha1.ActionUninstall,
}

// how is what becomes of a task.
type how string

const (
	succeeds  how = "succeeds"
	fails     how = "fails at"
	cancelled how = "cancelled"
	killed    how = "killed at"
)

// Moments to cancel a task at.
const (
	whileSuspended    = "while suspended"
	behindAnother     = "behind another task"
	withoutInput      = "without an input"
	inHook            = "in a hook"
	waitingForObjects = "waiting for objects"
)

var moments = []string{whileSuspended, behindAnother, withoutInput, inHook, waitingForObjects}

// milestones are those that a task can fail at.
var milestones = []string{
	v1alpha1.ConditionAdmitted, v1alpha1.ConditionResolved, v1alpha1.ConditionApplied, v1alpha1.ConditionHealthy,
}

// Ways to cancel a task.
const (
	byItself = "by spec.cancel"
	byTask   = "by a task"
)

// faultPoints are all that a killed operator can be killed at.
var faultPoints = []string{
	failpoint.TaskAdmitted, failpoint.TaskWritten, failpoint.InstanceBegun, failpoint.HelmRecordPending, failpoint.HelmHookCreated, failpoint.HelmHookEnded,
	failpoint.HelmObjectsApplied, failpoint.HelmObjectsDeleted, failpoint.HelmRecordFinal, failpoint.InstanceOperated, failpoint.InstanceSaved, failpoint.TaskNoted,
}

// A tale is one case: an action, what becomes of it, and where.
type tale struct {
	action v1alpha1.Action
	how    how
	// at is a milestone, a moment or a fault point.
	at string
	// by is how it is cancelled.
	by string
	// onFailure is what the task says of it.
	onFailure v1alpha1.FailurePolicy
}

// what is the tale without its action.
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

// begun reports whether the task has written its instance when it is cancelled.
func (t tale) begun() bool { return t.at == inHook || t.at == waitingForObjects }

// committed reports whether the task is cancelled in vain.
func (t tale) committed() bool {
	return t.how == cancelled && t.begun() && transitions.Outcomes[t.action].Committed
}

// end is the state that the table of the state machine gives, with Before for the
// one of before. A failure is told with the milestone at which it came.
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

// sideBySide are the tales in which nobody is killed, and which can be told at once.
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

// cleanups are what onFailure may say of actions that can be taken back.
var cleanups = map[v1alpha1.Action]v1alpha1.FailurePolicy{
	v1alpha1.ActionInstall:  v1alpha1.FailureRemove,
	v1alpha1.ActionClone:    v1alpha1.FailureRemove,
	v1alpha1.ActionUpgrade:  v1alpha1.FailureRollback,
	v1alpha1.ActionRollback: v1alpha1.FailureRollback,
}

// kills are the tales in which the operator is killed.
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

// passes reports whether an action comes by a fault point at all: what makes a
// revision deletes nothing, what removes one makes none, and what does neither is
// no business of Helm's.
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
	return action != v1alpha1.ActionStop && action != v1alpha1.ActionResume && action != v1alpha1.ActionAdopt
}

// absent says why there is no tale of an action at a milestone or a moment.
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
