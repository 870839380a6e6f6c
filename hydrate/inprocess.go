package hydrate

import (
	"context"
	"slices"
	"time"
)

// InProcess is a Worker that runs in this process, without limits on memory and time. It is
// used in worker processes and in tests.
type InProcess struct {
	Renderer Renderer
	Reader   AppReader
	// Verifier verifies signatures. It may be nil if no request has a policy.
	Verifier Verifier
	// Done, if set, is called after each step of Analyze that succeeds.
	Done func(step Name, d *Draft)
}

var _ Worker = InProcess{}

// Analyze runs the steps on a chart. Its errors are the errors of the steps.
func (w InProcess) Analyze(ctx context.Context, request Request, payload ChartContent) (*Draft, map[Name]time.Duration, error) {
	request.Source = fetchedSource{payload}
	d, took := &Draft{Request: request}, stopwatch{took: map[Name]time.Duration{}, done: w.Done}
	err := Pipeline{Observer: took, Steps: []Step{
		SourceChart{Verifier: w.Verifier},
		RenderedChart{Renderer: w.Renderer, Reader: w.Reader},
		CustomParams{Renderer: w.Renderer},
		findStep{},
		packStep{},
	}}.Run(ctx, d)
	d.Files = nil
	for i := range d.Units {
		d.Units[i].Documents, d.Units[i].Values = nil, nil
	}
	return d, took.took, err
}

// fetchedSource is a source that returns a chart that was already fetched.
type fetchedSource struct{ payload ChartContent }

// Fetch returns the chart.
func (d fetchedSource) Fetch(context.Context, Offer) (ChartContent, error) { return d.payload, nil }

// stopwatch is an observer that records the duration of each step.
type stopwatch struct {
	took map[Name]time.Duration
	done func(Name, *Draft)
}

// StepDone records the duration of one step.
func (s stopwatch) StepDone(d *Draft, step Name, took time.Duration, err error) {
	s.took[step] += took
	if err == nil && s.done != nil {
		s.done(step, d)
	}
}

// StepAfter returns the step after the given one, the first step for an empty name, and the
// last step after the last one.
func StepAfter(step Name) Name {
	steps := []Name{StepSourceChart, StepRenderedChart, StepCustomParams, StepImageAnalysis, StepRepoUpdate}
	return steps[min(slices.Index(steps, step)+1, len(steps)-1)]
}
