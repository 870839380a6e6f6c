package hydrate

import (
	"context"
	"time"
)

// InProcess is a Worker that bounds neither memory nor time: what a worker process runs,
// and tests.
type InProcess struct {
	Renderer Renderer
	Reader   AppReader
}

var _ Worker = InProcess{}

// Analyze takes a chart through the steps. The errors are those of the steps.
func (w InProcess) Analyze(ctx context.Context, request Request, payload Payload) (*Draft, map[Name]time.Duration, error) {
	request.Source = delivered{payload}
	d, took := &Draft{Request: request}, stopwatch{}
	err := Pipeline{Observer: took, Steps: []Step{
		SourceChart{},
		RenderedChart(w),
		CustomParams{Renderer: w.Renderer},
		finding{},
		packing{},
	}}.Run(ctx, d)
	d.Files = nil
	for i := range d.Units {
		d.Units[i].Documents, d.Units[i].Values = nil, nil
	}
	return d, took, err
}

// delivered is a source that has delivered its only chart.
type delivered struct{ payload Payload }

// Fetch returns the chart.
func (d delivered) Fetch(context.Context, Offer) (Payload, error) { return d.payload, nil }

// stopwatch notes how long steps take.
type stopwatch map[Name]time.Duration

// StepDone notes one step.
func (s stopwatch) StepDone(_ *Draft, step Name, took time.Duration, _ error) { s[step] += took }
