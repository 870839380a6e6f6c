package hydrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/outcome"
)

// Worker does everything that reads the bytes of charts, apart from this process.
type Worker interface {
	// Analyze does what the steps do with a chart that was fetched, but ask registries
	// and publish. It returns a draft without Files and Documents, as far as it came,
	// and how long each step took. An error of the chart is a StepError.
	Analyze(ctx context.Context, request Request, payload Payload) (*Draft, map[Name]time.Duration, error)
	// Prepare renders a published chart for an installation.
	Prepare(ctx context.Context, p Preparation) (*Prepared, error)
}

// Analysis fetches the chart and has it analyzed by a worker. It stands for the steps
// SourceChart, RenderedChart and CustomParams, and leaves to ImageAnalysis and
// RepoUpdate what they do outside of the draft.
type Analysis struct {
	Worker Worker
	// Observer may be nil.
	Observer Observer
}

// Name is empty: the steps that it stands for have names.
func (Analysis) Name() Name { return "" }

// Apply sets everything in the draft but the details of images and Published.
func (s Analysis) Apply(ctx context.Context, d *Draft) error {
	began := time.Now()
	payload, digest, err := fetch(ctx, d.Request)
	fetched := time.Since(began)
	if err != nil {
		s.observe(d, StepSourceChart, fetched, err)
		return &StepError{Step: StepSourceChart, Err: err}
	}
	analyzed, took, err := s.Worker.Analyze(ctx, d.Request, payload)
	if took == nil {
		took = map[Name]time.Duration{}
	}
	took[StepSourceChart] += fetched
	if analyzed != nil {
		analyzed.Request, analyzed.Digest, analyzed.done = d.Request, digest, d.done
		*d = *analyzed
	}
	failed := FailedStep(err, StepSourceChart)
	if step, named := errors.AsType[*StepError](err); named {
		err = step.Err
	}
	for _, step := range []Name{StepSourceChart, StepRenderedChart, StepCustomParams} {
		if err != nil && step == failed {
			s.observe(d, step, took[step], err)
			break
		}
		s.observe(d, step, took[step], nil)
	}
	if err != nil {
		return &StepError{Step: failed, Err: err}
	}
	if d.analyzed = true; d.Images == nil {
		d.Images = []images.Image{}
	}
	return nil
}

func (s Analysis) observe(d *Draft, step Name, took time.Duration, err error) {
	if s.Observer != nil {
		s.Observer.StepDone(d, step, took, err)
	}
}

// fetch has the chart delivered and compares it with what the source promised.
func fetch(ctx context.Context, request Request) (Payload, string, error) {
	payload, err := request.Source.Fetch(ctx, request.Offer)
	if err != nil {
		return Payload{}, "", err
	}
	digest := payload.digest()
	if want := request.Offer.Digest; want != "" && want != digest {
		// The digest that it has would let a short answer of another server be guessed.
		return Payload{}, "", outcome.Stalled(v1alpha1.ReasonDigestMismatch, fmt.Errorf(
			"the source did not deliver the %s that it promised; it serves a changed archive under an old index", want))
	}
	return payload, digest, nil
}
