package appinstalltask

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// follow copies the instance's milestones and ends the task when the instance is
// done with what the task wrote.
func (r *Reconciler) follow(_ context.Context, s *scope) error {
	ref := s.task.Status.InstanceRef
	if s.instance == nil || string(s.instance.UID) != ref.UID {
		return outcome.Stalled(v1alpha1.ReasonInterrupted, fmt.Errorf("instance %s was deleted while the task ran", ref.Name))
	}
	if by := s.takenOver(); by != "" {
		return outcome.Stalled(v1alpha1.ReasonInterrupted, fmt.Errorf("instance %s was changed by %s while the task ran", ref.Name, by))
	}
	conditions := s.instance.Status.Conditions
	current := func(kind string) *metav1.Condition {
		c := meta.FindStatusCondition(conditions, kind)
		if c == nil || c.ObservedGeneration < ref.Generation {
			return nil
		}
		return c
	}
	for _, milestone := range status.AppInstance.Milestones {
		if c := current(milestone); c != nil && c.Status == metav1.ConditionTrue {
			s.keeper.Reached(milestone, c.Reason, c.Message)
		}
	}
	if stalled := current(v1alpha1.ConditionStalled); stalled != nil {
		return status.At(failedMilestone(conditions), outcome.Stalled(stalled.Reason, errors.New(stalled.Message)))
	}
	root := current(v1alpha1.ConditionReady)
	if s.instance.Status.ObservedGeneration < ref.Generation || root == nil || root.Status != metav1.ConditionTrue {
		return s.goesOn(current(v1alpha1.ConditionReconciling))
	}
	s.keeper.Says(v1alpha1.ReasonSucceeded, root.Message)
	return nil
}

// takenOver says who has changed the instance so that it is no longer what the task
// wants, empty if nobody has.
func (s *scope) takenOver() string {
	absent := s.instance.Spec.DesiredState == v1alpha1.StateAbsent
	switch by := s.instance.Annotations[v1alpha1.TaskAnnotation]; {
	case by != s.task.Name:
		return "task " + by
	case absent != (s.task.Spec.Action == v1alpha1.ActionUninstall):
		return "somebody"
	}
	return ""
}

// goesOn tells how far the instance is.
func (s *scope) goesOn(reconciling *metav1.Condition) error {
	if reconciling == nil {
		return outcome.Waiting(v1alpha1.ReasonProgressing, 0, fmt.Errorf("%s of instance %s", s.task.Spec.Action, s.instance.Name))
	}
	return outcome.Waiting(reconciling.Reason, 0, errors.New(reconciling.Message))
}

// failedMilestone is the milestone that the instance failed at.
func failedMilestone(conditions []metav1.Condition) string {
	for _, milestone := range status.AppInstance.Milestones {
		if meta.IsStatusConditionFalse(conditions, milestone) {
			return milestone
		}
	}
	return v1alpha1.ConditionApplied
}
