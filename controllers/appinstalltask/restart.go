package appinstalltask

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/transitions"
)

// checkLastChange adds a finding if the last operation that changed the releases failed. The
// instance controller would repeat that operation before it restarts the workloads.
func checkLastChange(_ context.Context, _ *Reconciler, s *scope, p *taskFindings) error {
	if s.instance == nil {
		return nil
	}
	last := transitions.LastChange(s.instance)
	if last == nil || last.Outcome == v1alpha1.OutcomeSucceeded {
		return nil
	}
	p.Add(outcome.Stalled(v1alpha1.ReasonInvalidState, fmt.Errorf(
		"the last operation of instance %q (%s) did not succeed: repeat it, or use action Rollback, before you restart the instance",
		s.instance.Name, last.Operation.Type)))
	return nil
}

// requestRestart requests a restart at the present time. The time is part of the spec, so that a
// restart that is interrupted continues with the same time and does not replace a Pod twice.
func requestRestart(_ *scope, spec *v1alpha1.AppInstanceSpec) {
	now := metav1.Now().Rfc3339Copy()
	if last := spec.RestartRequestedAt; last != nil && !last.Before(&now) {
		now = metav1.NewTime(last.Add(time.Second))
	}
	spec.RestartRequestedAt = &now
}

// withdrawRestart requests the previous restart again, which restores the Pod templates before the
// task.
func withdrawRestart(s *scope, spec *v1alpha1.AppInstanceSpec) {
	spec.DesiredState = v1alpha1.StateRunning
	spec.RestartRequestedAt = s.ownership.record.PreviousRestart.DeepCopy()
}
