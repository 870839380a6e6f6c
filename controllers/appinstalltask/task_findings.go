package appinstalltask

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

// taskFindings collects the problems that keep a task from being admitted.
type taskFindings struct {
	admission.Findings
	// subtasks are the subtasks that must end before this task starts, in order.
	subtasks []*v1alpha1.AppInstallTask
}

// newTaskFindings returns findings that wait for unmet requirements if the task specifies so.
func newTaskFindings(task *v1alpha1.AppInstallTask, now time.Time) *taskFindings {
	return &taskFindings{Findings: admission.Findings{
		WaitsForUnmet: task.Spec.OnUnmetRequirement == v1alpha1.UnmetRequirementWait, Interval: admission.CheckInterval(task, now),
	}}
}

// toError combines the findings into one error, nil if there are none. The task waits no
// longer than its deadline.
func (p *taskFindings) toError(task *v1alpha1.AppInstallTask) error {
	err := p.ToError(0)
	if _, waits := outcome.IsWaiting(err); !waits {
		return err
	}
	if task.IsDryRun() {
		return outcome.Stalled(outcome.Reason(err, v1alpha1.ReasonInvalidSpec), errors.New(err.Error()))
	}
	left, late := timeUntilDeadline(task)
	if late != nil {
		return late
	}
	return p.ToError(left)
}

// addInputProblems adds inputs or titles that are missing or invalid to status.requiredInputs. Depending
// on spec.onMissingInput, the task waits for them or fails.
func (p *taskFindings) addInputProblems(task *v1alpha1.AppInstallTask, field string, wrong []inputs.Problem) {
	if len(wrong) == 0 {
		return
	}
	task.Status.RequiredInputs = truncateToSize(append(task.Status.RequiredInputs, toRequiredInputs(wrong)...), maxInputs, maxInputsBytes)
	missing := fmt.Errorf("%s; see status.requiredInputs", installplan.InputsMessage(task.Spec.ParametersPath(), field, wrong))
	if task.Spec.OnMissingInput == v1alpha1.MissingInputFail || task.IsDryRun() {
		p.Add(outcome.Stalled(v1alpha1.ReasonInputRequired, missing))
		return
	}
	p.Add(outcome.Waiting(v1alpha1.ReasonWaitingForInput, 0, missing))
}

// The maximum number of inputs in status, and their maximum total size in bytes.
const (
	maxInputs      = 100
	maxInputsBytes = 128 << 10
)

// truncateToSize returns the longest prefix of a list, but at least one item, that has at most the
// given number of items and of bytes when encoded as JSON.
func truncateToSize[T any](list []T, most, bytes int) []T {
	list = catalog.FirstItems(list, min(len(list), most))
	size := 0
	for i := range list {
		encoded, err := json.Marshal(list[i])
		if size += len(encoded); err == nil && size > bytes && i > 0 {
			return list[:i]
		}
	}
	return list
}

func toRequiredInputs(wrong []inputs.Problem) []v1alpha1.Input {
	var out []v1alpha1.Input
	for _, w := range catalog.FirstItems(wrong, maxInputs) {
		in := catalog.ToInput(w.Input)
		in.Problem = text.Limit(w.Problem, 1024)
		out = append(out, in)
	}
	return out
}
