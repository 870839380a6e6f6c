package appinstance

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
)

// describeFailure sets the Ready condition of an installed instance whose reconcile returns an
// error. The message contains the error, the installed version and the state of its
// objects.
func describeFailure(ctx context.Context, r *Reconciler, s *scope, failure error) {
	if failure == nil || s.described || s.helm == nil || s.instance.Status.Revision == 0 || ctx.Err() != nil {
		return
	}
	// A failure to compose the message must not fail the reconcile.
	err := outcome.Guarded(func() error {
		health := recordedHealth(s.instance)
		ready := meta.IsStatusConditionTrue(s.instance.Status.Conditions, v1alpha1.ConditionReady)
		if status.ConditionOf(failure) != v1alpha1.ConditionHealthy && r.trackObjects(ctx, s) == nil {
			if seen := r.observeHealth(ctx, s); seen.known && seen.err == nil {
				health, ready = seen.health, seen.health.IsHealthy()
				setInventoryHealth(s.instance, health)
			}
		}
		if _, waits := outcome.IsWaiting(failure); waits {
			s.statusWriter.SetInterim(ready, s.runningMessage(health)+"; "+failure.Error())
		} else {
			s.statusWriter.SetInterim(ready, failure.Error()+"; "+s.runningMessage(health))
		}
		return nil
	})()
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not describe the failure of the instance")
	}
}

// recordedHealth returns the counts of objects from status.
func recordedHealth(instance *v1alpha1.AppInstance) release.Health {
	if inventory := instance.Status.Inventory; inventory != nil {
		return release.Health{Total: int(inventory.Total), Ready: int(inventory.Ready)}
	}
	return release.Health{}
}

// runningMessage returns a message about the installed version and the state of its objects.
func (s *scope) runningMessage(health release.Health) string {
	st := s.instance.Status
	version := "version " + st.Version
	if pinned := s.instance.Spec.PinnedRevision; pinned != 0 {
		version += fmt.Sprintf(" (pinned to revision %d by spec.pinnedRevision, which overrides spec.version, spec.values, spec.valuesFrom and spec.inputs)", pinned)
	}
	var said string
	switch {
	case st.Stopped && health.IsHealthy():
		said = "stopped at " + version
	case st.Stopped:
		said = fmt.Sprintf("stopping %s, %s", version, objectsReadyMessage(health))
	case health.IsHealthy():
		said = fmt.Sprintf("running %s, %s", version, objectsReadyMessage(health))
	default:
		said = fmt.Sprintf("%s, %s", version, objectsReadyMessage(health))
	}
	said += remedyForMissing(s.instance, health)
	if health.Remark != "" && health.Remark != health.Message {
		said += "; " + health.Remark
	}
	if n := len(st.Drift); n > 0 && meta.IsStatusConditionTrue(st.Conditions, v1alpha1.ConditionDrifted) {
		said += "; " + text.Count(n, "object differs", "objects differ") + " from the Helm release (see status.drift)"
	}
	if s.unresolved != nil {
		said += "; " + s.unresolved.Error()
	}
	return said
}

// objectsReadyMessage returns a message about how many objects are ready and why the first other
// one is not.
func objectsReadyMessage(health release.Health) string {
	switch {
	case health.IsHealthy():
		return text.Count(health.Total, "object", "objects") + " ready"
	case health.Message == "":
		return fmt.Sprintf("%d of %d objects ready", health.Ready, health.Total)
	}
	return fmt.Sprintf("%d of %d objects ready: %s", health.Ready, health.Total, health.Message)
}
