// Package transitions is the state machine of an AppInstance: which state it is in,
// which action is allowed there, and what each action leads to.
//
// A state is not stored anywhere. Of derives it from what the spec asks for and
// what the status says of the releases, so that it cannot be wrong for longer than
// these are. One table holds everything that follows from it: the task controller
// refuses by it, the stories of all actions check against it, and the page
// docs/spec/lifecycle.md shows it.
package transitions

import (
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
)

// State is where an instance stands.
type State string

// The states.
const (
	// None: there is no instance of the name.
	None State = "None"
	// Installing: the first operation is under way, or waits for something.
	Installing State = "Installing"
	// InstallFailed: the first operation failed; what it has made is there.
	InstallFailed State = "InstallFailed"
	// Running: installed, and every object is ready.
	Running State = "Running"
	// Unhealthy: installed, and some object is not ready.
	Unhealthy State = "Unhealthy"
	// Changing: installed, and something else is being made of it.
	Changing State = "Changing"
	// ChangeFailed: installed, and the last operation failed.
	ChangeFailed State = "ChangeFailed"
	// Stopped: installed, and its workloads have no pods.
	Stopped State = "Stopped"
	// Removing: the releases are going.
	Removing State = "Removing"
	// RemoveFailed: the releases should go and cannot.
	RemoveFailed State = "RemoveFailed"
	// Removed: the releases have gone; the instance is the record of what was.
	Removed State = "Removed"
	// Deleting: the instance itself is going.
	Deleting State = "Deleting"
)

// States are all of them, in the order of a life.
var States = []State{
	None, Installing, InstallFailed, Running, Unhealthy, Changing, ChangeFailed, Stopped, Removing, RemoveFailed, Removed, Deleting,
}

// Of is the state of an instance, None for nil.
func StateOf(instance *v1alpha1.AppInstance) State {
	if instance == nil {
		return None
	}
	if !instance.DeletionTimestamp.IsZero() {
		return Deleting
	}
	failed := isStalled(instance)
	if instance.Spec.DesiredState == v1alpha1.StateAbsent {
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
	case len(instance.Status.Releases) == 0 && instance.Status.Operation == nil:
		return Removed
	case failed:
		return RemoveFailed
	}
	return Removing
}

func installedState(instance *v1alpha1.AppInstance, failed bool) State {
	conditions := instance.Status.Conditions
	current := instance.Status.ObservedGeneration == instance.Generation
	switch {
	case instance.Status.Operation != nil:
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

// unresolved is the state of an installed instance whose spec waits for something
// outside, its source say: nothing is being made of it, and what is installed runs on.
func unresolvedState(instance *v1alpha1.AppInstance) State {
	if meta.IsStatusConditionTrue(instance.Status.Conditions, v1alpha1.ConditionReady) {
		return Running
	}
	return Unhealthy
}

// stalled reports whether the present spec was dealt with, and failed.
func isStalled(instance *v1alpha1.AppInstance) bool {
	c := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionStalled)
	return c != nil && c.ObservedGeneration == instance.Generation
}

// applied reports whether Helm has carried out the present spec.
func isApplied(instance *v1alpha1.AppInstance) bool {
	c := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionApplied)
	return c != nil && c.ObservedGeneration == instance.Generation
}
