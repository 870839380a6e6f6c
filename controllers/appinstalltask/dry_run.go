package appinstalltask

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
)

// maxPlannedObjects is the maximum number of objects in status.plan.
const maxPlannedObjects = 200

// planOperation runs all checks of a dry run, and reports in status.plan what the operation would
// change. It does not wait in the queue, and changes nothing but the status of the task. If passwords are
// missing and nothing else is wrong, the plan describes an installation with placeholders.
func (r *Reconciler) planOperation(ctx context.Context, s *scope) error {
	p := newTaskFindings(s.task, time.Now())
	if err := runChecks(ctx, r, s, p); err != nil {
		return err
	}
	if err := checkSubtaskPermissions(ctx, r, s, p); err != nil {
		return err
	}
	s.task.Status.Plan, s.task.Status.Preflight = nil, p.ToProblems()
	if s.version != nil {
		s.task.Status.Version = s.version.Version
	}
	problem := p.toError(s.task)
	if problem != nil && !isOnlyAssumed(s, p) {
		return status.ForCondition(v1alpha1.ConditionAdmitted, problem)
	}
	changes, err := planChanges(ctx, r, s)
	if err != nil {
		return status.ForCondition(v1alpha1.ConditionAdmitted, err)
	}
	plan := newPlan(s, p.subtasks, changes.objects)
	if err := addContents(plan, r.Reports, s, changes); err != nil {
		return status.ForCondition(v1alpha1.ConditionAdmitted, err)
	}
	s.task.Status.Plan = plan
	if problem != nil {
		return status.ForCondition(v1alpha1.ConditionAdmitted, problem)
	}
	s.statusWriter.MarkTrue(v1alpha1.ConditionAdmitted, v1alpha1.ReasonAdmitted, "all checks passed")
	s.statusWriter.SetReady(v1alpha1.ReasonPlanned, planMessage(s))
	return nil
}

// isOnlyAssumed reports whether the only finding of a dry run is about passwords that are missing, for
// which the rendered app contains placeholders.
func isOnlyAssumed(s *scope, p *taskFindings) bool {
	return s.rendered != nil && len(s.rendered.AssumedInputs) > 0 && p.Len() == 1
}

// newPlan returns the plan of an operation with the given subtasks and changes of objects.
func newPlan(s *scope, subtasks []*v1alpha1.AppInstallTask, changes []v1alpha1.PlannedObject) *v1alpha1.Plan {
	plan := &v1alpha1.Plan{Objects: catalog.FirstItems(changes, maxPlannedObjects)}
	if s.version != nil {
		plan.ChartDigest = s.version.Digest
	}
	for _, step := range subtasks {
		planned := v1alpha1.PlannedSubtask{Action: step.Spec.Action, Instance: step.Instance(), Version: step.Spec.Parameters().Version}
		if step.Namespace != s.task.Namespace {
			planned.Namespace = step.Namespace
		}
		plan.Subtasks = append(plan.Subtasks, planned)
	}
	for _, one := range changes {
		switch one.Change {
		case v1alpha1.ObjectCreated:
			plan.ObjectsCreated++
		case v1alpha1.ObjectChanged:
			plan.ObjectsChanged++
		case v1alpha1.ObjectDeleted:
			plan.ObjectsDeleted++
		case v1alpha1.ObjectRetained:
			plan.ObjectsRetained++
		}
	}
	return plan
}

// planMessage summarizes the plan of a task.
func planMessage(s *scope) string {
	plan := s.task.Status.Plan
	message := fmt.Sprintf("dry run: %s of instance %q is possible", s.task.Spec.Action, s.task.Instance())
	if version := s.task.Status.Version; version != "" {
		message += " with version " + version
	}
	var changes []string
	for _, group := range []struct {
		count int32
		verb  string
	}{
		{plan.ObjectsCreated, "create"}, {plan.ObjectsChanged, "change"}, {plan.ObjectsDeleted, "delete"}, {plan.ObjectsRetained, "retain"},
	} {
		if group.count > 0 {
			changes = append(changes, group.verb+" "+text.Count(group.count, "object", "objects"))
		}
	}
	switch {
	case len(changes) > 0:
		message += "; it would " + strings.Join(changes, ", ")
	case listsObjects(s):
		message += "; it would change no object"
	}
	if n := len(plan.Subtasks); n > 0 {
		message += ", after " + text.Count(n, "subtask", "subtasks")
	}
	return message
}
