package hydrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/appmarket/operator/internal/outcome"
)

// Name is the name of a step. It is API: status, metrics and logs show it.
type Name string

// The steps, in their order.
const (
	StepSourceChart   Name = "SourceChart"
	StepRenderedChart Name = "RenderedChart"
	StepCustomParams  Name = "CustomParams"
	StepImageAnalysis Name = "ImageAnalysis"
	StepRepoUpdate    Name = "RepoUpdate"
)

// Step is one of the five, or Analysis, which stands for the first three. It has no
// state of its own, and only the last one writes anything outside the draft.
type Step interface {
	// Name is empty for a step that stands for several: it names the one that fails by
	// a StepError, and tells the observer of them itself.
	Name() Name
	Apply(ctx context.Context, d *Draft) error
}

// Observer is told of every step that ran.
type Observer interface {
	StepDone(d *Draft, step Name, took time.Duration, err error)
}

// Pipeline runs steps over drafts. It is safe for use by several goroutines, each
// with a draft of its own.
type Pipeline struct {
	Steps []Step
	// Observer may be nil.
	Observer Observer
}

// StepError says which step failed.
type StepError struct {
	Step Name
	Err  error
}

// Error names the step before the cause.
func (e *StepError) Error() string { return fmt.Sprintf("%s: %v", e.Step, e.Err) }

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// FailedStep is the step that err comes from, or the fallback.
func FailedStep(err error, fallback Name) Name {
	if e, ok := errors.AsType[*StepError](err); ok {
		return e.Step
	}
	return fallback
}

// Run applies the steps that the draft has not behind it, in order, until one
// fails or panics: the error is a StepError. A draft may be run again after a
// failure, and goes on with the step that failed.
func (p Pipeline) Run(ctx context.Context, d *Draft) error {
	for d.done < len(p.Steps) {
		step := p.Steps[d.done]
		if err := p.apply(ctx, step, d); err != nil {
			if _, named := errors.AsType[*StepError](err); named {
				return err
			}
			return &StepError{Step: step.Name(), Err: err}
		}
		d.done++
	}
	return nil
}

func (p Pipeline) apply(ctx context.Context, step Step, d *Draft) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	start := time.Now()
	err := outcome.Guarded(func() error { return step.Apply(ctx, d) })()
	if p.Observer != nil && step.Name() != "" {
		p.Observer.StepDone(d, step.Name(), time.Since(start), err)
	}
	return err
}
