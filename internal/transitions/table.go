package transitions

import (
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Outcome contains the states to which an action leads.
type Outcome struct {
	// Succeeded, Failed and Canceled are the states after each result. Failed is the state
	// with onFailure Keep. Before is the state before the action.
	Succeeded, Failed, Canceled State
	// Committed reports that the action cannot be canceled after it has started.
	Committed bool
}

// FailedAt returns the state after a task has failed at a condition, with onFailure Keep. A task
// that is not admitted changes nothing, and releases that do not become healthy are kept.
func (e Outcome) FailedAt(milestone string) State {
	switch milestone {
	case v1alpha1.ConditionAdmitted:
		return Before
	case v1alpha1.ConditionHealthy:
		return Unhealthy
	}
	return e.Failed
}

// Before is a placeholder for the state before the action.
const Before State = "Before"

// decision is the decision about an action in a state.
type decision struct {
	reason string
	// waits reports that the state is transient, so that a task waits for its end.
	waits bool
	// message is the rest of the error: what to do, what the task waits for, or which state the
	// action requires.
	message string
}

var (
	allow                = decision{}
	denyBusy             = decision{reason: v1alpha1.ReasonWaitingForTurn, waits: true, message: "the task waits until the operation in progress has ended"}
	denyTerminating      = decision{reason: v1alpha1.ReasonWaitingForTurn, waits: true, message: "the task waits until the instance is deleted"}
	denyNotInstalled     = decision{reason: v1alpha1.ReasonNotInstalled, message: "install the app first, or list the instances with kubectl get appinstances"}
	denyAlreadyInstalled = decision{reason: v1alpha1.ReasonAlreadyInstalled, message: "use action Upgrade, or set another spec.instanceName"}
	denyInstallFailed    = decision{reason: v1alpha1.ReasonInvalidState, message: "retry with action Install, or remove the instance with action Uninstall"}
	denyStopped          = decision{reason: v1alpha1.ReasonInvalidState, message: "use action Resume first"}
	denyAlreadyStopped   = decision{reason: v1alpha1.ReasonInvalidState, message: "only an instance that is not stopped can be stopped"}
	denyNotStopped       = decision{reason: v1alpha1.ReasonInvalidState, message: "only a stopped instance can be resumed"}
	denyRemovalFailed    = decision{reason: v1alpha1.ReasonInvalidState, message: "retry with action Uninstall"}
)

// The rows of the table, each for one or more actions.
var (
	installRow = map[State]decision{
		None: allow, Installing: denyBusy, InstallFailed: allow, Running: denyAlreadyInstalled, Unhealthy: denyAlreadyInstalled, Changing: denyAlreadyInstalled,
		ChangeFailed: denyAlreadyInstalled, Stopped: denyAlreadyInstalled, Uninstalling: denyBusy, UninstallFailed: denyRemovalFailed, Uninstalled: allow,
		Deleting: denyTerminating,
	}
	upgradeRow = map[State]decision{
		None: denyNotInstalled, Installing: denyBusy, InstallFailed: denyInstallFailed, Running: allow, Unhealthy: allow, Changing: denyBusy,
		ChangeFailed: allow, Stopped: denyStopped, Uninstalling: denyBusy, UninstallFailed: denyRemovalFailed,
		Uninstalled: denyNotInstalled, Deleting: denyTerminating,
	}
	stopRow = map[State]decision{
		None: denyNotInstalled, Installing: denyBusy, InstallFailed: denyInstallFailed, Running: allow, Unhealthy: allow, Changing: denyBusy,
		ChangeFailed: allow, Stopped: denyAlreadyStopped, Uninstalling: denyBusy, UninstallFailed: denyRemovalFailed,
		Uninstalled: denyNotInstalled, Deleting: denyTerminating,
	}
	resumeRow = map[State]decision{
		None: denyNotInstalled, Installing: denyBusy, InstallFailed: denyInstallFailed, Running: denyNotStopped, Unhealthy: denyNotStopped, Changing: denyBusy,
		ChangeFailed: allow, Stopped: allow, Uninstalling: denyBusy, UninstallFailed: denyRemovalFailed,
		Uninstalled: denyNotInstalled, Deleting: denyTerminating,
	}
	// An installation in progress may be uninstalled. The Helm operation is interrupted.
	uninstallRow = map[State]decision{
		None: denyNotInstalled, Installing: allow, InstallFailed: allow, Running: allow, Unhealthy: allow, Changing: allow,
		ChangeFailed: allow, Stopped: allow, Uninstalling: denyBusy, UninstallFailed: allow,
		Uninstalled: denyNotInstalled, Deleting: denyTerminating,
	}
)

// row is an action: what it leads to, and in which states it is allowed.
type row struct {
	action    v1alpha1.Action
	outcome   Outcome
	decisions map[State]decision
}

// table contains the rows in the order of the documentation. Cancel has none, because it is
// allowed in every state and has the outcome of the task that it cancels.
var table = []row{
	{v1alpha1.ActionInstall, Outcome{Succeeded: Running, Failed: InstallFailed, Canceled: Uninstalled}, installRow},
	{v1alpha1.ActionClone, Outcome{Succeeded: Running, Failed: InstallFailed, Canceled: Uninstalled}, installRow},
	{v1alpha1.ActionAdopt, Outcome{Succeeded: Running, Failed: InstallFailed, Canceled: Running, Committed: true}, installRow},
	{v1alpha1.ActionUpgrade, Outcome{Succeeded: Running, Failed: ChangeFailed, Canceled: Before}, upgradeRow},
	{v1alpha1.ActionConfigure, Outcome{Succeeded: Running, Failed: ChangeFailed, Canceled: Before}, upgradeRow},
	{v1alpha1.ActionRollback, Outcome{Succeeded: Running, Failed: ChangeFailed, Canceled: Before}, upgradeRow},
	{v1alpha1.ActionStop, Outcome{Succeeded: Stopped, Failed: ChangeFailed, Canceled: Before}, stopRow},
	{v1alpha1.ActionResume, Outcome{Succeeded: Running, Failed: ChangeFailed, Canceled: Before}, resumeRow},
	{v1alpha1.ActionRestart, Outcome{Succeeded: Running, Failed: ChangeFailed, Canceled: Before}, upgradeRow},
	{v1alpha1.ActionUninstall, Outcome{Succeeded: Uninstalled, Failed: UninstallFailed, Canceled: Uninstalled, Committed: true}, uninstallRow},
}

// Outcomes contains the outcome of each action of the table.
var Outcomes = func() map[v1alpha1.Action]Outcome {
	outcomes := map[v1alpha1.Action]Outcome{}
	for _, r := range table {
		outcomes[r.action] = r.outcome
	}
	return outcomes
}()

// decisionsFor returns the decisions about an action by state, nil if the table has no row for it.
func decisionsFor(action v1alpha1.Action) map[State]decision {
	for _, r := range table {
		if r.action == action {
			return r.decisions
		}
	}
	return nil
}

// Admit returns an error if an action is not allowed for an instance, which may be nil. The
// error is Waiting in a transient state and Stalled otherwise, and contains the state.
func Admit(action v1alpha1.Action, name string, instance *v1alpha1.AppInstance) error {
	state := StateOf(instance)
	a := decisionsFor(action)[state]
	if a == allow {
		return nil
	}
	err := fmt.Errorf("instance %q is in state %s; %s", name, state, a.message)
	if state == None {
		err = fmt.Errorf("instance %q does not exist; %s", name, a.message)
	}
	if a.waits {
		return outcome.Waiting(a.reason, 0, err)
	}
	return outcome.Stalled(a.reason, err)
}

// Cloneable reports whether an instance in a state can be cloned.
func Cloneable(state State) bool {
	switch state {
	case Running, Unhealthy, Changing, ChangeFailed, Stopped:
		return true
	}
	return false
}
