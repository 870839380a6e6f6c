package hydrate

import (
	"context"
	"slices"
	"time"
)

// InProcess is a Worker that bounds neither memory nor time: what a worker process runs,
// and tests.
type InProcess struct {
	Renderer Renderer
	Reader   AppReader
	// Done, if set, is called when Analyze is done with a step.
	Done func(step Name, d *Draft)
}

var _ Worker = InProcess{}

// Analyze takes a chart through the steps. The errors are those of the steps.
func (w InProcess) Analyze(ctx context.Context, request Request, payload Payload) (*Draft, map[Name]time.Duration, error) {
	request.Source = delivered{payload}
	d, took := &Draft{Request: request}, stopwatch{took: map[Name]time.Duration{}, done: w.Done}
	err := Pipeline{Observer: took, Steps: []Step{
		SourceChart{},
		RenderedChart{Renderer: w.Renderer, Reader: w.Reader},
		CustomParams{Renderer: w.Renderer},
		finding{},
		packing{},
	}}.Run(ctx, d)
	d.Files = nil
	for i := range d.Units {
		d.Units[i].Documents, d.Units[i].Values = nil, nil
	}
	return d, took.took, err
}

// delivered is a source that has delivered its only chart.
type delivered struct{ payload Payload }

// Fetch returns the chart.
func (d delivered) Fetch(context.Context, Offer) (Payload, error) { return d.payload, nil }

// stopwatch notes how long steps take.
type stopwatch struct {
	took map[Name]time.Duration
	done func(Name, *Draft)
}

// StepDone notes one step.
func (s stopwatch) StepDone(d *Draft, step Name, took time.Duration, err error) {
	s.took[step] += took
	if err == nil && s.done != nil {
		s.done(step, d)
	}
}

// StepAfter is the step that comes after another one, the first one if it is empty.
func StepAfter(step Name) Name {
	steps := []Name{StepSourceChart, StepRenderedChart, StepCustomParams, StepImageAnalysis, StepRepoUpdate}
	return steps[min(slices.Index(steps, step)+1, len(steps)-1)]
}
