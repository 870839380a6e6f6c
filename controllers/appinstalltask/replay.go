package appinstalltask

import (
	"context"
	"errors"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/transitions"
)

// replay ends a task that was carried out before, under its name and with its spec:
// a client has deleted it and applied it again. It ends as it did then, unless the
// instance is no longer what the task made of it.
func (r *Reconciler) replay(_ context.Context, s *scope) error {
	var err error
	if s.hash, err = transitions.HashSpec(s.task); err != nil {
		return err
	}
	if s.instance == nil || s.task.Status.InstanceRef != nil || s.signed() {
		return nil
	}
	entry := transitions.FindTask(s.instance, s.task.Name, s.hash)
	if entry == nil {
		return nil
	}
	s.task.Status.Version = entry.Version
	s.task.Status.InstanceRef = s.reference()
	if entry.Outcome != v1alpha1.OutcomeSucceeded {
		message := "failed before; set another spec.runID to run the task again"
		if entry.Message != "" {
			message += ": " + entry.Message
		}
		return outcome.Stalled(replayed(entry), errors.New(message))
	}
	if since := s.changedSince(entry); since != "" {
		return outcome.Stalled(v1alpha1.ReasonSuperseded, fmt.Errorf(
			"the task was carried out before, and %s; set another spec.runID to run it again", since))
	}
	s.ended = true
	s.keeper.SetReady(v1alpha1.ReasonSucceeded, fmt.Sprintf(
		"carried out before; instance %q is %s; set another spec.runID to run the task again", s.instance.Name, s.today()))
	return nil
}

// changedSince says what was done to the instance after a task had succeeded, so that it
// is no longer what the task asks for; it is empty if it still is.
func (s *scope) changedSince(entry *v1alpha1.LedgerEntry) string {
	have, made := s.instance.Status.Version, entry.Version
	isOther := false
	switch s.task.Spec.Action {
	case v1alpha1.ActionUpgrade:
		isOther = have != made && !catalog.Newer(have, made)
	case v1alpha1.ActionRollback:
		isOther = have != made
	}
	if s.instance.DeletionTimestamp.IsZero() && s.instance.Spec.DesiredState == s.desired() && !isOther {
		return ""
	}
	since := fmt.Sprintf("instance %q has since changed: it is %s", s.instance.Name, s.today())
	if len(s.instance.Status.History) > 0 {
		last := s.instance.Status.History[0].Operation
		since += fmt.Sprintf(" (last operation: %s", last.Type)
		if last.Task != "" {
			since += fmt.Sprintf(" by task %q", last.Task)
		}
		since += ")"
	}
	return since
}

// today is the state of the instance in words, with its version.
func (s *scope) today() string {
	state := string(transitions.StateOf(s.instance))
	if version := s.instance.Status.Version; version != "" {
		state += " at version " + version
	}
	return state
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
