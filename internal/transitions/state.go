// Package transitions is the state machine of an AppInstance: its states, the actions that
// are allowed in each state, and the outcome of each action.
//
// The state is not stored. StateOf derives it from the spec and the status, so that it cannot
// disagree with them. The task controller, the tests of all actions and the page
// docs/spec/lifecycle.md use the same table.
package transitions

import (
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
)

// State is the state of an instance.
type State string

// The states.
const (
	// None: the instance does not exist.
	None State = "None"
	// Installing: the first operation is in progress, or waiting.
	Installing State = "Installing"
	// InstallFailed: the first operation failed. Its objects are kept.
	InstallFailed State = "InstallFailed"
	// Running: installed, and all objects are ready.
	Running State = "Running"
	// Unhealthy: installed, and at least one object is not ready.
	Unhealthy State = "Unhealthy"
	// Changing: installed, and an operation is in progress.
	Changing State = "Changing"
	// ChangeFailed: installed, and the last operation failed.
	ChangeFailed State = "ChangeFailed"
	// Stopped: installed, with all workloads scaled to zero.
	Stopped State = "Stopped"
	// Uninstalling: the releases are being uninstalled.
	Uninstalling State = "Uninstalling"
	// UninstallFailed: the uninstallation failed.
	UninstallFailed State = "UninstallFailed"
	// Uninstalled: the releases are uninstalled. The instance is kept as a record.
	Uninstalled State = "Uninstalled"
	// Deleting: the instance is being deleted.
	Deleting State = "Deleting"
)

// States contains all states, in the order of the lifecycle.
var States = []State{
	None, Installing, InstallFailed, Running, Unhealthy, Changing, ChangeFailed, Stopped, Uninstalling, UninstallFailed, Uninstalled, Deleting,
}

// StateOf returns the state of an instance, None for nil.
func StateOf(instance *v1alpha1.AppInstance) State {
	if instance == nil {
		return None
	}
	if !instance.DeletionTimestamp.IsZero() {
		return Deleting
	}
	failed := isStalled(instance)
	if instance.Spec.DesiredState == v1alpha1.StateUninstalled {
		return absentState(instance, failed)
	}
	if instance.Status.Revision == 0 {
		if failed {
			return InstallFailed
		}
		return Installing
	}
	return installedState(instance, failed)
}

func absentState(instance *v1alpha1.AppInstance, failed bool) State {
	switch {
	case len(instance.Status.Releases) == 0 && instance.Status.CurrentOperation == nil:
		return Uninstalled
	case failed:
		return UninstallFailed
	}
	return Uninstalling
}

func installedState(instance *v1alpha1.AppInstance, failed bool) State {
	conditions := instance.Status.Conditions
	current := instance.Status.ObservedGeneration == instance.Generation
	switch {
	case instance.Status.CurrentOperation != nil:
		return Changing
	case failed && !meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionApplied):
		return ChangeFailed
	case instance.Status.Stopped:
		return Stopped
	case current && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionHealthy):
		return Running
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionApplied) && isApplied(instance):
		return Unhealthy
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionResolved):
		return Changing
	}
	return unresolvedState(instance)
}

// unresolvedState returns the state of an installed instance whose spec cannot be resolved, for
// example because its source is missing. The installed release is not changed.
func unresolvedState(instance *v1alpha1.AppInstance) State {
	if meta.IsStatusConditionTrue(instance.Status.Conditions, v1alpha1.ConditionReady) {
		return Running
	}
	return Unhealthy
}

// isStalled reports whether the current spec was processed and failed.
func isStalled(instance *v1alpha1.AppInstance) bool {
	c := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionStalled)
	return c != nil && c.ObservedGeneration == instance.Generation
}

// isApplied reports whether Helm has applied the current spec.
func isApplied(instance *v1alpha1.AppInstance) bool {
	c := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionApplied)
	return c != nil && c.ObservedGeneration == instance.Generation
}
