package transitions

import (
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Effect is what an action leads to.
type Effect struct {
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
func (e Effect) FailedAt(milestone string) State {
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
var Effects = map[v1alpha1.Action]Effect{
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
type answer struct {
	reason string
	// wait says that the state ends by itself, so that the task waits for it.
	wait bool
	say  string
}

var (
	allowed = answer{}
	busy    = answer{reason: v1alpha1.ReasonWaitingForTurn, wait: true, say: "something else is being done with it"}
	going   = answer{reason: v1alpha1.ReasonWaitingForTurn, wait: true, say: "it is being deleted"}
	absent  = answer{reason: v1alpha1.ReasonNotInstalled, say: "install it first, or see kubectl get appinstances"}
	there   = answer{reason: v1alpha1.ReasonAlreadyInstalled, say: "it is installed already; use action Upgrade, or another spec.instanceName"}
	never   = answer{reason: v1alpha1.ReasonWrongState, say: "its installation failed; use action Install again, or Uninstall"}
	halted  = answer{reason: v1alpha1.ReasonWrongState, say: "it is stopped; use action Resume first"}
	still   = answer{reason: v1alpha1.ReasonWrongState, say: "it is stopped already"}
	moving  = answer{reason: v1alpha1.ReasonWrongState, say: "it is not stopped"}
	leaving = answer{reason: v1alpha1.ReasonWrongState, say: "its removal has begun and failed; use action Uninstall again"}
)

// The rows of the table, each for actions that are alike.
var (
	making = map[State]answer{
		None: allowed, Installing: busy, InstallFailed: allowed, Running: there, Unhealthy: there, Changing: there,
		ChangeFailed: there, Stopped: there, Removing: busy, RemoveFailed: leaving, Removed: allowed, Deleting: going,
	}
	changing = map[State]answer{
		None: absent, Installing: busy, InstallFailed: never, Running: allowed, Unhealthy: allowed, Changing: busy,
		ChangeFailed: allowed, Stopped: halted, Removing: busy, RemoveFailed: leaving, Removed: absent, Deleting: going,
	}
	stopping = map[State]answer{
		None: absent, Installing: busy, InstallFailed: never, Running: allowed, Unhealthy: allowed, Changing: busy,
		ChangeFailed: allowed, Stopped: still, Removing: busy, RemoveFailed: leaving, Removed: absent, Deleting: going,
	}
	resuming = map[State]answer{
		None: absent, Installing: busy, InstallFailed: never, Running: moving, Unhealthy: moving, Changing: busy,
		ChangeFailed: allowed, Stopped: allowed, Removing: busy, RemoveFailed: leaving, Removed: absent, Deleting: going,
	}
	// An installation that hangs may be removed: Helm is interrupted.
	removing = map[State]answer{
		None: absent, Installing: allowed, InstallFailed: allowed, Running: allowed, Unhealthy: allowed, Changing: allowed,
		ChangeFailed: allowed, Stopped: allowed, Removing: busy, RemoveFailed: allowed, Removed: absent, Deleting: going,
	}
)

// table is the whole of what is allowed. Cancel is allowed in every state: it
// speaks of a task.
var table = map[v1alpha1.Action]map[State]answer{
	v1alpha1.ActionInstall:   making,
	v1alpha1.ActionClone:     making,
	v1alpha1.ActionAdopt:     making,
	v1alpha1.ActionUpgrade:   changing,
	v1alpha1.ActionRollback:  changing,
	v1alpha1.ActionStop:      stopping,
	v1alpha1.ActionResume:    resuming,
	v1alpha1.ActionUninstall: removing,
}

// Admit says whether an action is allowed for an instance, which may be nil. What
// is not allowed is stalled, with the reason and the state; a state that ends by
// itself is waited for.
func Admit(action v1alpha1.Action, name string, instance *v1alpha1.AppInstance) error {
	state := Of(instance)
	a := table[action][state]
	if a == allowed {
		return nil
	}
	err := fmt.Errorf("instance %q is in state %s: %s", name, state, a.say)
	if state == None {
		err = fmt.Errorf("there is no instance %q: %s", name, a.say)
	}
	if a.wait {
		return outcome.Waiting(a.reason, 0, err)
	}
	return outcome.Stalled(a.reason, err)
}

// Copyable reports whether an instance in a state can be cloned.
func Copyable(state State) bool {
	switch state {
	case Running, Unhealthy, Changing, ChangeFailed, Stopped:
		return true
	}
	return false
}
