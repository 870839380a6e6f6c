package appinstalltask

import (
	"context"
	"errors"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/lifecycle"
	"github.com/appmarket/operator/internal/outcome"
)

// replay ends a task that was carried out before, under its name and with its spec:
// somebody has deleted it and applied it again. It ends as it did then.
func (r *Reconciler) replay(_ context.Context, s *scope) error {
	var err error
	if s.hash, err = lifecycle.Hash(s.task); err != nil {
		return err
	}
	if s.instance == nil || s.task.Status.InstanceRef != nil || s.signed() {
		return nil
	}
	entry := lifecycle.Carried(s.instance, s.task.Name, s.hash)
	if entry == nil {
		return nil
	}
	s.ended = true
	s.task.Status.Version = entry.Version
	s.task.Status.InstanceRef = s.reference()
	if entry.Outcome == v1alpha1.OutcomeSucceeded {
		s.keeper.Says(v1alpha1.ReasonSucceeded, "carried out before; set another spec.runID to run it again")
		return nil
	}
	message := "failed before; set another spec.runID to run it again"
	if entry.Message != "" {
		message += ": " + entry.Message
	}
	return outcome.Stalled(replayed(entry), errors.New(message))
}

// replayed is the reason of an entry as a task that was not admitted may give it.
func replayed(entry *v1alpha1.LedgerEntry) string {
	if entry.Outcome == v1alpha1.OutcomeCancelled {
		return v1alpha1.ReasonCancelled
	}
	return v1alpha1.ReasonFailedBefore
}

// reference names the instance as it is.
func (s *scope) reference() *v1alpha1.InstanceReference {
	return &v1alpha1.InstanceReference{
		Name: s.instance.Name, UID: string(s.instance.UID), Generation: s.instance.Generation,
	}
}
