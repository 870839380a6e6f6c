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

// Worker runs all code that parses the contents of charts, usually in another process.
type Worker interface {
	// Analyze runs the steps on a chart that has been fetched, except for the registry
	// requests and the publication. It returns the draft without Files and Documents, as
	// far as the steps came, and the duration of each step. An error caused by the chart is
	// a StepError.
	Analyze(ctx context.Context, request Request, payload ChartContent) (*Draft, map[Name]time.Duration, error)
	// Prepare renders a published chart for an installation.
	Prepare(ctx context.Context, p Preparation) (*Prepared, error)
}

// Analysis is a step that fetches the chart and has a Worker analyze it. It replaces
// SourceChart, RenderedChart and CustomParams, and prepares ImageAnalysis and RepoUpdate,
// which then only send requests to registries and publish.
type Analysis struct {
	Worker Worker
	// Observer may be nil.
	Observer Observer
}

// Name returns "" because Analysis reports the steps that it replaces by their own names.
func (Analysis) Name() Name { return "" }

// Apply sets all fields of the draft except for the details of images and Published.
func (s Analysis) Apply(ctx context.Context, d *Draft) error {
	began := time.Now()
	payload, digest, err := fetchSignedChart(ctx, d.Request)
	fetched := time.Since(began)
	if err != nil {
		s.notifyObserver(d, StepSourceChart, fetched, err)
		return &StepError{Step: StepSourceChart, Err: err}
	}
	analyzed, took, err := analyzeWithDependencies(ctx, s.Worker, d.Request, payload)
	took[StepSourceChart] += fetched
	if analyzed != nil {
		analyzed.Request, analyzed.Digest, analyzed.done = d.Request, digest, d.done
		*d = *analyzed
	}
	if err == nil {
		// The chart is valid, so that its digest does not disclose the response of another server.
		err = d.Request.checkMutation(digest)
	}
	failed := FailedStep(err, StepSourceChart)
	if step, named := errors.AsType[*StepError](err); named {
		err = step.Err
	}
	for _, step := range []Name{StepSourceChart, StepRenderedChart, StepCustomParams} {
		if err != nil && step == failed {
			s.notifyObserver(d, step, took[step], err)
			break
		}
		s.notifyObserver(d, step, took[step], nil)
	}
	if err != nil {
		return &StepError{Step: failed, Err: err}
	}
	if d.analyzed = true; d.Images == nil {
		d.Images = []images.Image{}
	}
	return nil
}

func (s Analysis) notifyObserver(d *Draft, step Name, took time.Duration, err error) {
	if s.Observer != nil {
		s.Observer.StepDone(d, step, took, err)
	}
}

// fetchSignedChart returns the chart, with its signatures if the request has a policy, and its digest.
func fetchSignedChart(ctx context.Context, request Request) (ChartContent, string, error) {
	if err := request.checkMutation(request.Offer.Digest); err != nil {
		return ChartContent{}, "", err
	}
	payload, digest, err := fetchChart(ctx, request)
	if err == nil && request.Policy != nil {
		payload.Signatures, err = fetchSignatures(ctx, request)
	}
	return payload, digest, err
}

// fetchChart returns the chart and its digest. It compares the digest with the one in the offer.
func fetchChart(ctx context.Context, request Request) (ChartContent, string, error) {
	var payload ChartContent
	err := AwaitServers(ctx, func(ctx context.Context) (err error) {
		payload, err = request.Source.Fetch(ctx, request.Offer)
		return err
	})
	if err != nil {
		return ChartContent{}, "", err
	}
	digest := payload.contentDigest()
	if want := request.Offer.Digest; want != "" && want != digest {
		// Do not include the actual digest: it would allow guessing a short response of
		// another server.
		return ChartContent{}, "", outcome.Stalled(v1alpha1.ReasonDigestMismatch, fmt.Errorf(
			"digest mismatch: the archive does not have digest %s of the index; update the index of the source", want))
	}
	return payload, digest, nil
}
