package hydrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/appmarket/operator/internal/outcome"
)

// Name is the name of a step. It is part of the API: status, metrics and logs show it.
type Name string

// The steps in order.
const (
	StepSourceChart   Name = "SourceChart"
	StepRenderedChart Name = "RenderedChart"
	StepCustomParams  Name = "CustomParams"
	StepImageAnalysis Name = "ImageAnalysis"
	StepRepoUpdate    Name = "RepoUpdate"
)

// Step is one of the five steps, or Analysis, which replaces the first three. Steps are
// stateless, and only the last one writes outside the draft.
type Step interface {
	// Name returns the name of the step. It returns "" for a step that replaces several
	// others; such a step returns a StepError and notifies the observer itself.
	Name() Name
	Apply(ctx context.Context, d *Draft) error
}

// Observer is notified of every step that ran.
type Observer interface {
	StepDone(d *Draft, step Name, took time.Duration, err error)
}

// Pipeline runs steps on drafts. It can be used by several goroutines concurrently, each
// with its own draft.
type Pipeline struct {
	Steps []Step
	// Observer may be nil.
	Observer Observer
}

// StepError is the error of a step.
type StepError struct {
	Step Name
	Err  error
}

// Error returns the name of the step, followed by the cause.
func (e *StepError) Error() string { return fmt.Sprintf("%s: %v", e.Step, e.Err) }

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// FailedStep returns the step that caused err, or fallback if err is not a StepError.
func FailedStep(err error, fallback Name) Name {
	if e, ok := errors.AsType[*StepError](err); ok {
		return e.Step
	}
	return fallback
}

// Run applies the remaining steps to the draft in order and stops at the first step that
// fails or panics. The error is a StepError. Run can be called again after a failure and
// continues with the failed step.
func (p Pipeline) Run(ctx context.Context, d *Draft) error {
	for d.done < len(p.Steps) {
		step := p.Steps[d.done]
		if err := p.applyStep(ctx, step, d); err != nil {
			if _, named := errors.AsType[*StepError](err); named {
				return err
			}
			return &StepError{Step: step.Name(), Err: err}
		}
		d.done++
	}
	return nil
}

func (p Pipeline) applyStep(ctx context.Context, step Step, d *Draft) error {
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
