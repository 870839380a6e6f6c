package pages

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
	"github.com/appmarket/operator/ui/locale"
)

// checkView is the result of a dry run.
type checkView struct {
	Task    *v1alpha1.AppInstallTask
	State   badge
	Message string
	// Problems are the problems with a reason, and Inputs the inputs and titles that are missing or wrong.
	Problems []v1alpha1.Problem
	Inputs   []v1alpha1.Input
	// Unchecked are the confidential inputs that the dry run does not contain.
	Unchecked []string
	Plan      *planView
	// URL is the URL of the result. Live is the URL of its stream, and Signal the event that signals a
	// change. Both are empty after the end of the dry run.
	URL, Live, Signal string
}

// newCheckView returns the result of a dry run.
func newCheckView(l *locale.Language, task *v1alpha1.AppInstallTask) *checkView {
	v := &checkView{Task: task, URL: checkPartURL(task.Namespace, task.Name)}
	if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		v.Message = c.Message
	}
	if !task.Finished() {
		topic := live.Topic{Resource: kube.Tasks, Namespace: task.Namespace, Name: task.Name}
		v.Live, v.Signal, v.State = liveURL([]live.Topic{topic}, time.Time{}), topic.Signal(), badge{"busy", "loader", l.Text("check.running")}
		return v
	}
	v.addInputs()
	v.Problems = slices.Clone(task.Status.Preflight)
	if len(task.Status.RequiredInputs) > 0 { // They are listed one by one.
		v.Problems = slices.DeleteFunc(v.Problems, func(p v1alpha1.Problem) bool { return p.Reason == v1alpha1.ReasonInputRequired })
	}
	v.Plan = newPlanView(task)
	count := len(v.Problems) + len(v.Inputs)
	switch {
	case v.Plan != nil:
		v.State = badge{"ok", "check", l.Text("check.ok")}
		if len(v.Unchecked) > 0 {
			v.Message = "" // It is about the inputs that the form has, and the check has not.
		}
	case count > 0:
		v.State = badge{"bad", "circle-x", l.Text("check.problems", "Count", count)}
	case len(v.Unchecked) > 0:
		v.State, v.Message = badge{"warn", "info", l.Text("check.okSoFar")}, ""
	default:
		v.State = badge{"bad", "circle-x", l.Text("state.notPossible")}
	}
	if count > 0 {
		v.Message = "" // It repeats the problems.
	}
	return v
}

// addInputs separates confidential inputs that are not part of the dry run from those with a problem.
func (v *checkView) addInputs() {
	given := v.Task.Spec.Parameters().Inputs
	for _, input := range v.Task.Status.RequiredInputs {
		isPart := slices.ContainsFunc(given, func(each v1alpha1.InputValue) bool { return each.Name == input.Name })
		if isConfidential := input.Secret || input.Type == "password"; isConfidential && !isPart {
			v.Unchecked = append(v.Unchecked, cmp.Or(input.Title, input.Name))
			continue
		}
		v.Inputs = append(v.Inputs, input)
	}
}

// planView is the plan of a dry run. Its template consists of one section for each kind of change.
type planView struct {
	*v1alpha1.Plan

	Version string
	Objects []plannedObjects
	// ObjectsKnown reports that the plan of the action lists objects.
	ObjectsKnown bool
}

// plannedObjects are the objects with the same change.
type plannedObjects struct {
	Change v1alpha1.ObjectChange
	Count  int
	Listed []v1alpha1.PlannedObject
}

// Missing returns the number of objects that the plan does not list.
func (o plannedObjects) Missing() int { return max(o.Count-len(o.Listed), 0) }

// newPlanView returns the plan of a dry run, nil if it has none.
func newPlanView(task *v1alpha1.AppInstallTask) *planView {
	plan := task.Status.Plan
	if plan == nil {
		return nil
	}
	v := &planView{Plan: plan, Version: task.Status.Version}
	switch task.Spec.Action {
	case v1alpha1.ActionInstall, v1alpha1.ActionUpgrade, v1alpha1.ActionConfigure, v1alpha1.ActionClone, v1alpha1.ActionUninstall:
		v.ObjectsKnown = true
	}
	for _, group := range []plannedObjects{
		{Change: v1alpha1.ObjectCreated, Count: int(plan.ObjectsCreated)}, {Change: v1alpha1.ObjectChanged, Count: int(plan.ObjectsChanged)},
		{Change: v1alpha1.ObjectDeleted, Count: int(plan.ObjectsDeleted)}, {Change: v1alpha1.ObjectRetained, Count: int(plan.ObjectsRetained)},
	} {
		for _, planned := range plan.Objects {
			if planned.Change == group.Change {
				group.Listed = append(group.Listed, planned)
			}
		}
		if group.Count > 0 {
			v.Objects = append(v.Objects, group)
		}
	}
	return v
}
