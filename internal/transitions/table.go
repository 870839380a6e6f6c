package transitions

import (
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Effect is what an action leads to.
type Outcome struct {
	// Succeeded, Failed and Cancelled are the states after each end. Failed is
	// that with onFailure Keep; Before means the state that it was in.
	Succeeded, Failed, Cancelled State
	// Committed says that the action cannot be cancelled any more once it has
	// begun: it goes through.
	Committed bool
}

// FailedAt is the state that a failure at a milestone of the task leaves, with
// onFailure Keep: nothing is changed before a task is admitted, and what has been
// applied stays although it does not become healthy.
func (e Outcome) FailedAt(milestone string) State {
	switch milestone {
	case v1alpha1.ConditionAdmitted:
		return Before
	case v1alpha1.ConditionHealthy:
		return Unhealthy
	}
	return e.Failed
}

// Before stands for the state that an instance was in before the action.
const Before State = "Before"

// Effects are what the actions lead to. Cancel has none of its own: it has that of
// the task that it cancels.
var Outcomes = map[v1alpha1.Action]Outcome{
	v1alpha1.ActionInstall:   {Succeeded: Running, Failed: InstallFailed, Cancelled: Removed},
	v1alpha1.ActionClone:     {Succeeded: Running, Failed: InstallFailed, Cancelled: Removed},
	v1alpha1.ActionAdopt:     {Succeeded: Running, Failed: InstallFailed, Cancelled: Running, Committed: true},
	v1alpha1.ActionUpgrade:   {Succeeded: Running, Failed: ChangeFailed, Cancelled: Before},
	v1alpha1.ActionRollback:  {Succeeded: Running, Failed: ChangeFailed, Cancelled: Before},
	v1alpha1.ActionStop:      {Succeeded: Stopped, Failed: ChangeFailed, Cancelled: Before},
	v1alpha1.ActionResume:    {Succeeded: Running, Failed: ChangeFailed, Cancelled: Before},
	v1alpha1.ActionUninstall: {Succeeded: Removed, Failed: RemoveFailed, Cancelled: Removed, Committed: true},
}

// answer is what a task is told in a state.
type decision struct {
	reason string
	// wait says that the state ends by itself, so that the task waits for it.
	waits   bool
	message string
}

var (
	allow                = decision{}
	denyBusy             = decision{reason: v1alpha1.ReasonWaitingForTurn, waits: true, message: "something else is being done with it"}
	denyTerminating      = decision{reason: v1alpha1.ReasonWaitingForTurn, waits: true, message: "it is being deleted"}
	denyNotInstalled     = decision{reason: v1alpha1.ReasonNotInstalled, message: "install it first, or see kubectl get appinstances"}
	denyAlreadyInstalled = decision{reason: v1alpha1.ReasonAlreadyInstalled, message: "it is installed already; use action Upgrade, or another spec.instanceName"}
	denyInstallFailed    = decision{reason: v1alpha1.ReasonWrongState, message: "its installation failed; use action Install again, or Uninstall"}
	denyStopped          = decision{reason: v1alpha1.ReasonWrongState, message: "it is stopped; use action Resume first"}
	denyAlreadyStopped   = decision{reason: v1alpha1.ReasonWrongState, message: "it is stopped already"}
	denyNotStopped       = decision{reason: v1alpha1.ReasonWrongState, message: "it is not stopped"}
	denyRemovalFailed    = decision{reason: v1alpha1.ReasonWrongState, message: "its removal has begun and failed; use action Uninstall again"}
)

// The rows of the table, each for actions that are alike.
var (
	installRow = map[State]decision{
		None: allow, Installing: denyBusy, InstallFailed: allow, Running: denyAlreadyInstalled, Unhealthy: denyAlreadyInstalled, Changing: denyAlreadyInstalled,
		ChangeFailed: denyAlreadyInstalled, Stopped: denyAlreadyInstalled, Removing: denyBusy, RemoveFailed: denyRemovalFailed, Removed: allow, Deleting: denyTerminating,
	}
	upgradeRow = map[State]decision{
		None: denyNotInstalled, Installing: denyBusy, InstallFailed: denyInstallFailed, Running: allow, Unhealthy: allow, Changing: denyBusy,
		ChangeFailed: allow, Stopped: denyStopped, Removing: denyBusy, RemoveFailed: denyRemovalFailed, Removed: denyNotInstalled, Deleting: denyTerminating,
	}
	stopRow = map[State]decision{
		None: denyNotInstalled, Installing: denyBusy, InstallFailed: denyInstallFailed, Running: allow, Unhealthy: allow, Changing: denyBusy,
		ChangeFailed: allow, Stopped: denyAlreadyStopped, Removing: denyBusy, RemoveFailed: denyRemovalFailed, Removed: denyNotInstalled, Deleting: denyTerminating,
	}
	resumeRow = map[State]decision{
		None: denyNotInstalled, Installing: denyBusy, InstallFailed: denyInstallFailed, Running: denyNotStopped, Unhealthy: denyNotStopped, Changing: denyBusy,
		ChangeFailed: allow, Stopped: allow, Removing: denyBusy, RemoveFailed: denyRemovalFailed, Removed: denyNotInstalled, Deleting: denyTerminating,
	}
	// An installation that hangs may be removed: Helm is interrupted.
	uninstallRow = map[State]decision{
		None: denyNotInstalled, Installing: allow, InstallFailed: allow, Running: allow, Unhealthy: allow, Changing: allow,
		ChangeFailed: allow, Stopped: allow, Removing: denyBusy, RemoveFailed: allow, Removed: denyNotInstalled, Deleting: denyTerminating,
	}
)

// table is the whole of what is allowed. Cancel is allowed in every state: it
// speaks of a task.
var decisions = map[v1alpha1.Action]map[State]decision{
	v1alpha1.ActionInstall:   installRow,
	v1alpha1.ActionClone:     installRow,
	v1alpha1.ActionAdopt:     installRow,
	v1alpha1.ActionUpgrade:   upgradeRow,
	v1alpha1.ActionRollback:  upgradeRow,
	v1alpha1.ActionStop:      stopRow,
	v1alpha1.ActionResume:    resumeRow,
	v1alpha1.ActionUninstall: uninstallRow,
}

// Admit says whether an action is allowed for an instance, which may be nil. What
// is not allowed is stalled, with the reason and the state; a state that ends by
// itself is waited for.
func Admit(action v1alpha1.Action, name string, instance *v1alpha1.AppInstance) error {
	state := StateOf(instance)
	a := decisions[action][state]
	if a == allow {
		return nil
	}
	err := fmt.Errorf("instance %q is in state %s: %s", name, state, a.message)
	if state == None {
		err = fmt.Errorf("there is no instance %q: %s", name, a.message)
	}
	if a.waits {
		return outcome.Waiting(a.reason, 0, err)
	}
	return outcome.Stalled(a.reason, err)
}

// Copyable reports whether an instance in a state can be cloned.
func Cloneable(state State) bool {
	switch state {
	case Running, Unhealthy, Changing, ChangeFailed, Stopped:
		return true
	}
	return false
}
