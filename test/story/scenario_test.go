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

// course is how a scenario ends.
type course string

const (
	succeeds course = "succeeds"
	fails    course = "fails at"
	canceled course = "canceled"
	killed   course = "killed at"
)

// Points at which a task is canceled.
const (
	whileSuspended    = "while suspended"
	behindAnother     = "queued behind another task"
	withoutInput      = "without an input"
	inHook            = "in a hook"
	waitingForObjects = "while waiting for objects"
)

var cancelPoints = []string{whileSuspended, behindAnother, withoutInput, inHook, waitingForObjects}

// progressConditions are the conditions at which a task can fail.
var progressConditions = []string{
	v1alpha1.ConditionAdmitted, v1alpha1.ConditionResolved, v1alpha1.ConditionApplied, v1alpha1.ConditionHealthy,
}

// Ways to cancel a task.
const (
	bySpec = "by spec.cancel"
	byTask = "by a task"
)

// failpoints are the failpoints at which the operator can be killed.
var failpoints = []string{
	failpoint.TaskAdmitted, failpoint.TaskWritten, failpoint.InstanceBegun, failpoint.HelmRecordPending, failpoint.HelmHookCreated, failpoint.HelmHookEnded,
	failpoint.HelmObjectsApplied, failpoint.HelmObjectsDeleted, failpoint.HelmRecordFinal, failpoint.InstanceOperated, failpoint.InstanceSaved, failpoint.TaskNoted,
}

// A scenario is a test case: an action, its course, and the point of the failure or cancellation.
type scenario struct {
	action v1alpha1.Action
	course course
	// point is a condition, a point of cancellation or a failpoint.
	point string
	// method is how the task is canceled.
	method string
	// onFailure is the failure policy of the task.
	onFailure v1alpha1.FailurePolicy
}

// describeCourse returns the name of the scenario without its action.
func (s scenario) describeCourse() string {
	text := string(s.course)
	for _, detail := range []string{s.point, s.method} {
		if detail != "" {
			text += " " + detail
		}
	}
	if s.onFailure != "" {
		text += ", onFailure " + string(s.onFailure)
	}
	return text
}

func (s scenario) String() string { return fmt.Sprintf("%s %s", s.action, s.describeCourse()) }

// isWritten reports whether the task has written its instance when it is canceled.
func (s scenario) isWritten() bool { return s.point == inHook || s.point == waitingForObjects }

// isCommitted reports whether the cancellation comes too late to have an effect.
func (s scenario) isCommitted() bool {
	return s.course == canceled && s.isWritten() && transitions.Outcomes[s.action].Committed
}

// finalState returns the state that the table of transitions requires; Before stands for the initial
// state. failedAt is the condition at which the task failed.
func (s scenario) finalState(failedAt string) transitions.State {
	effect := transitions.Outcomes[s.action]
	switch {
	case s.course == fails && s.onFailure == "":
		return effect.FailedAt(failedAt)
	case s.course == fails:
		return effect.Canceled
	case s.course == canceled && !s.isWritten():
		return transitions.Before
	case s.course == canceled && !effect.Committed:
		return effect.Canceled
	}
	return effect.Succeeded
}

// parallelScenarios returns the scenarios that do not kill the operator and can run in parallel.
func parallelScenarios() []scenario {
	var scenarios []scenario
	for _, action := range actions {
		scenarios = append(scenarios, scenario{action: action, course: succeeds})
		for _, condition := range progressConditions {
			if _, ok := faultsFor(action)[condition]; ok {
				scenarios = append(scenarios, scenario{action: action, course: fails, point: condition})
			}
		}
		if policy, ok := failurePolicies[action]; ok {
			for _, condition := range []string{v1alpha1.ConditionApplied, v1alpha1.ConditionHealthy} {
				scenarios = append(scenarios, scenario{action: action, course: fails, point: condition, onFailure: policy})
			}
		}
		for _, point := range cancelPoints {
			if _, ok := faultsFor(action)[point]; ok {
				scenarios = append(scenarios,
					scenario{action: action, course: canceled, point: point, method: bySpec},
					scenario{action: action, course: canceled, point: point, method: byTask})
			}
		}
	}
	return scenarios
}

// failurePolicies are the failure policies of the actions that can be reverted.
var failurePolicies = map[v1alpha1.Action]v1alpha1.FailurePolicy{
	v1alpha1.ActionInstall:   v1alpha1.FailureRemove,
	v1alpha1.ActionClone:     v1alpha1.FailureRemove,
	v1alpha1.ActionUpgrade:   v1alpha1.FailureRollback,
	v1alpha1.ActionConfigure: v1alpha1.FailureRollback,
	v1alpha1.ActionRollback:  v1alpha1.FailureRollback,
}

// killScenarios returns the scenarios in which the operator is killed.
func killScenarios() []scenario {
	var scenarios []scenario
	for _, action := range actions {
		for _, point := range failpoints {
			if reachesFailpoint(action, point) {
				scenarios = append(scenarios, scenario{action: action, course: killed, point: point})
			}
		}
	}
	return scenarios
}

// reachesFailpoint reports whether an action reaches a failpoint. An action that creates a revision
// deletes no objects, an uninstallation creates no revision, and the other actions do not run Helm.
func reachesFailpoint(action v1alpha1.Action, point string) bool {
	switch point {
	case failpoint.HelmRecordPending, failpoint.HelmObjectsApplied:
		return runsHelm(action) && action != v1alpha1.ActionUninstall
	case failpoint.HelmHookCreated, failpoint.HelmHookEnded, failpoint.HelmRecordFinal:
		return runsHelm(action)
	case failpoint.HelmObjectsDeleted:
		return action == v1alpha1.ActionUninstall
	}
	return true
}

// runsHelm reports whether an action runs Helm.
func runsHelm(action v1alpha1.Action) bool {
	switch action {
	case v1alpha1.ActionStop, v1alpha1.ActionResume, v1alpha1.ActionRestart, v1alpha1.ActionAdopt:
		return false
	}
	return true
}

// exclusionReason returns why an action has no scenario at a condition or a point of cancellation.
func exclusionReason(action v1alpha1.Action, point string) string {
	if _, ok := faultsFor(action)[point]; ok {
		return ""
	}
	switch point {
	case v1alpha1.ConditionHealthy, waitingForObjects:
		return "the operation does not wait for objects that become ready"
	case v1alpha1.ConditionResolved:
		return "the version is the installed version or an earlier one"
	case withoutInput:
		return "the action has no inputs"
	case inHook:
		return "the action runs no hooks"
	}
	return "the failure is not possible"
}
