package appinstalltask

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/text"
)

// findings collect what stands in the way.
type findings struct {
	found []finding
	// steps are tasks that have to end before this one begins, in order.
	steps []*v1alpha1.AppInstallTask
}

// finding is one thing that stands in the way, and YAML that mends it, if there is
// such.
type finding struct {
	err    error
	remedy string
	// until says how long the task waits for it, if nothing else is in the way for good.
	until string
}

func (p *findings) add(err error) {
	if err != nil {
		p.found = append(p.found, finding{err: err})
	}
}

// take adds an error that says what is wrong, and returns one that says that looking
// failed.
func (p *findings) take(err error) error {
	if !judged(err) {
		return err
	}
	p.add(err)
	return nil
}

// report adds the problems of a comparison with the cluster.
func (p *findings) report(problems ...preflight.Problem) {
	for _, one := range problems {
		p.found = append(p.found, finding{err: outcome.Stalled(one.Reason, errors.New(one.Message)), remedy: one.Remedy})
	}
}

// message is what the finding of a number says. It names the field of the task that
// holds its remedy.
func (p *findings) message(number int) string {
	message := p.found[number].err.Error()
	if p.found[number].remedy == "" || number >= p.shown() {
		return message
	}
	return strings.Replace(message, preflight.TheRemedy, fmt.Sprintf("status.preflight[%d].remedy", number), 1)
}

// ask lists inputs, or titles, that are missing or do not fit. They are waited for, or are a
// failure, as the task says.
func (p *findings) ask(task *v1alpha1.AppInstallTask, what string, wrong []hydrate.InputProblem) {
	if len(wrong) == 0 {
		return
	}
	task.Status.RequiredInputs = fitting(append(task.Status.RequiredInputs, required(wrong)...), maxInputs, maxInputsBytes)
	missing := fmt.Errorf("%s; see status.requiredInputs", catalog.InputsMessage(what, wrong))
	if task.Spec.OnMissingInput == v1alpha1.MissingInputFail {
		p.add(outcome.Stalled(v1alpha1.ReasonInputMissing, missing))
		return
	}
	p.add(outcome.Waiting(v1alpha1.ReasonWaitingForInput, 0, missing))
}

// maxInputs bounds the inputs that are listed, and maxInputsBytes their size.
const (
	maxInputs      = 100
	maxInputsBytes = 128 << 10
)

// fitting returns the first items of a list that fit into a number and a size, as they
// are written in JSON, at least one.
func fitting[T any](list []T, most, bytes int) []T {
	list = catalog.First(list, min(len(list), most))
	size := 0
	for i := range list {
		encoded, err := json.Marshal(list[i])
		if size += len(encoded); err == nil && size > bytes && i > 0 {
			return list[:i]
		}
	}
	return list
}

func required(wrong []hydrate.InputProblem) []v1alpha1.Input {
	var out []v1alpha1.Input
	for _, w := range catalog.First(wrong, maxInputs) {
		in := catalog.Input(w.Input)
		in.Problem = catalog.Bounded(w.Problem, 1024)
		out = append(out, in)
	}
	return out
}

// maxListed bounds the problems that status shows, and maxListedBytes their size.
const (
	maxListed      = 50
	maxListedBytes = 128 << 10
)

// listed are the problems as status shows them. If some are left out, the last one says
// how many.
func (p *findings) listed() []v1alpha1.Problem {
	var out []v1alpha1.Problem
	for i, f := range p.found[:p.shown()] {
		out = append(out, v1alpha1.Problem{
			Reason: outcome.Reason(f.err, v1alpha1.ReasonInvalidSpec), Message: catalog.Bounded(p.message(i), maxMessage), Remedy: f.remedy,
		})
	}
	if more := len(p.found) - len(out); more > 0 {
		out = append(out, v1alpha1.Problem{
			Reason:  outcome.Reason(p.found[len(out)].err, v1alpha1.ReasonInvalidSpec),
			Message: fmt.Sprintf("and %s, shown once these are solved", text.Count(more, "more problem", "more problems")),
		})
	}
	return out
}

// shown is the number of problems that fit into status, at least one.
func (p *findings) shown() int {
	size := 0
	for i, f := range p.found {
		size += len(f.err.Error()) + len(f.remedy)
		if i > 0 && size > maxListedBytes || i == maxListed-1 && len(p.found) > maxListed {
			return i
		}
	}
	return len(p.found)
}

// verdict sums the problems up: one that is final ends the task, and otherwise the
// first is waited for. The message names all of them.
func (p *findings) verdict(task *v1alpha1.AppInstallTask) error {
	if len(p.found) == 0 {
		return nil
	}
	var said []string
	for i := range p.found {
		said = append(said, p.message(i))
	}
	for _, f := range p.found {
		if outcome.IsStalled(f.err) {
			return outcome.Stalled(outcome.Reason(f.err, v1alpha1.ReasonInvalidSpec), errors.New(text.Sentences(said, maxMessage)))
		}
	}
	for _, f := range p.found {
		if f.until != "" {
			said = append(said, f.until)
		}
	}
	next, err := remaining(task)
	if err != nil {
		return err
	}
	for _, f := range p.found {
		if after, _ := outcome.IsWaiting(f.err); after > 0 && (next == 0 || after < next) {
			next = after
		}
	}
	return outcome.Waiting(outcome.Reason(p.found[0].err, v1alpha1.ReasonProgressing), next, errors.New(text.Sentences(said, maxMessage)))
}

// judged reports whether an error says what is wrong, rather than that looking
// failed.
func judged(err error) bool {
	_, waiting := outcome.IsWaiting(err)
	return err == nil || waiting || outcome.IsStalled(err)
}
