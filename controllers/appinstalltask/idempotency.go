package appinstalltask

import (
	"context"
	"errors"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/transitions"
)

// restoreCompletedTask ends a task that was carried out before under the same name and with the same
// spec, and that was then deleted and applied again. The task has the same result as
// before, unless the instance has changed since.
func (r *Reconciler) restoreCompletedTask(_ context.Context, s *scope) error {
	if s.instance == nil || s.ownership.isRecorded || s.ownership.isSigned {
		return nil
	}
	entry := transitions.FindTask(s.instance, s.task.Name, s.hash)
	if entry == nil {
		return nil
	}
	s.task.Status.Version = entry.Version
	s.recordInstance(s.instance)
	if entry.Outcome != v1alpha1.OutcomeSucceeded {
		message := "this task has already failed"
		if entry.Outcome == v1alpha1.OutcomeCanceled {
			message = "this task was already canceled"
		}
		if entry.Message != "" {
			message += ": " + entry.Message
		}
		message += "; set another spec.runID to run it again"
		return outcome.Stalled(recordedFailureReason(entry), errors.New(message))
	}
	if since := changedSince(s, entry); since != "" {
		return outcome.Stalled(v1alpha1.ReasonSuperseded, fmt.Errorf(
			"this task has already completed, but %s; set another spec.runID to run it again", since))
	}
	s.isComplete = true
	s.statusWriter.SetReady(v1alpha1.ReasonSucceeded, fmt.Sprintf(
		"this task has already completed, and instance %q is %s; set another spec.runID to run it again", s.instance.Name, currentStateMessage(s.instance)))
	return nil
}

// changedSince describes how the instance has changed since a task succeeded, so that it no
// longer has the state or the version that the task requests. It returns "" if the instance
// still has both.
func changedSince(s *scope, entry *v1alpha1.CompletedTask) string {
	isKept := s.action.keepsVersion == nil || s.action.keepsVersion(s.instance.Status.Version, entry.Version)
	if s.instance.DeletionTimestamp.IsZero() && s.instance.Spec.DesiredState == s.action.desiredState() && isKept {
		return ""
	}
	since := fmt.Sprintf("instance %q is now %s", s.instance.Name, currentStateMessage(s.instance))
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

// currentStateMessage returns the state and the version of the instance for messages.
func currentStateMessage(instance *v1alpha1.AppInstance) string {
	state := "in state " + string(transitions.StateOf(instance))
	if version := instance.Status.Version; version != "" {
		state += " with version " + version
	}
	return state
}

// recordedFailureReason returns the reason for which a task fails that failed or was canceled before.
func recordedFailureReason(entry *v1alpha1.CompletedTask) string {
	if entry.Outcome == v1alpha1.OutcomeCanceled {
		return v1alpha1.ReasonCanceled
	}
	return v1alpha1.ReasonPreviouslyFailed
}
