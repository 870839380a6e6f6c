package appinstance

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// suspendedMessage is the message of a suspended instance, or the beginning of it.
const suspendedMessage = "suspended by spec.suspend"

// checkSuspended ends the reconcile of a suspended instance: no operation starts, and drift is neither
// detected nor corrected. The health of the objects is reported as long as the last operation
// succeeded. Otherwise the conditions are kept.
func (r *Reconciler) checkSuspended(ctx context.Context, s *scope) error {
	if s.instance.Spec.Suspend == nil || !*s.instance.Spec.Suspend {
		return nil
	}
	key := client.ObjectKeyFromObject(s.instance)
	r.Turns.Cancel(key)
	r.Removals.Cancel(key)
	s.described = true
	if !hasLastOperationSucceeded(s.instance) || isStalledBeforeHealth(s.instance) {
		return suspendedError(suspendedMessage)
	}
	if err := r.trackObjects(ctx, s); err != nil {
		return status.ForCondition(v1alpha1.ConditionHealthy, err)
	}
	seen := r.observeHealth(ctx, s)
	switch {
	case seen.err != nil:
		return status.ForCondition(v1alpha1.ConditionHealthy, seen.err)
	case !seen.known:
		return suspendedError(suspendedMessage)
	}
	return reportSuspendedHealth(s, *s.observed)
}

// isStalledBeforeHealth reports whether a failure is reported that does not concern the health of the objects.
func isStalledBeforeHealth(instance *v1alpha1.AppInstance) bool {
	conditions := instance.Status.Conditions
	return meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled) && !meta.IsStatusConditionFalse(conditions, v1alpha1.ConditionHealthy)
}

// reportSuspendedHealth sets the Healthy and Ready conditions of a suspended instance, and returns the
// error of its reconcile. Objects that have failed are a terminal error.
func reportSuspendedHealth(s *scope, seen observedHealth) error {
	setInventoryHealth(s.instance, seen.health)
	message := suspendedMessage + "; " + s.runningMessage(seen.health)
	if seen.health.Failed {
		return status.ForCondition(v1alpha1.ConditionHealthy, outcome.Stalled(v1alpha1.ReasonUnhealthy, errors.New(message)))
	}
	s.statusWriter.SetFlag(v1alpha1.ConditionStalled, "", "")
	switch {
	case seen.health.IsHealthy() && s.instance.Status.Stopped:
		markStopped(s)
		s.statusWriter.MarkTrue(v1alpha1.ConditionReady, v1alpha1.ReasonStopped, message)
	case seen.health.IsHealthy():
		s.statusWriter.MarkTrue(v1alpha1.ConditionHealthy, v1alpha1.ReasonHealthy, objectsReadyMessage(seen.health))
		s.statusWriter.MarkTrue(v1alpha1.ConditionReady, v1alpha1.ReasonReady, message)
	default:
		s.statusWriter.SetFlag(v1alpha1.ConditionHealthy, "", "")
		if meta.IsStatusConditionTrue(s.instance.Status.Conditions, v1alpha1.ConditionReady) {
			s.statusWriter.SetFlag(v1alpha1.ConditionReady, "", "") // it becomes Unknown
		}
	}
	return suspendedError(message)
}

// suspendedError returns the error of a suspended instance.
func suspendedError(message string) error {
	return outcome.Waiting(v1alpha1.ReasonSuspended, 0, errors.New(message))
}
