package hydrate

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/internal/audit"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/outcome"
)

// maxInspections is the maximum number of concurrent registry requests for one app.
const maxInspections = 8

// ImageAnalysis finds the images of the rendered objects, of the app manifest and of
// Chart.yaml, and requests the details of each from its registry. The step does not fail if
// a registry does not respond, or if a registry does not have an image that only Chart.yaml
// lists: the error is recorded in the Problem of the image.
type ImageAnalysis struct {
	// Inspector inspects the images of requests without an inspector.
	Inspector Inspector
}

// Name returns StepImageAnalysis.
func (ImageAnalysis) Name() Name { return StepImageAnalysis }

// Apply sets Images, Description and Audit, or only the details of images if a worker has read the
// documents.
func (s ImageAnalysis) Apply(ctx context.Context, d *Draft) error {
	facts := documentFacts{images: slices.Clone(d.Images), described: d.Description, audited: d.Audit}
	if !d.analyzed {
		var err error
		if facts, err = readDocuments(d); err != nil {
			return err
		}
	}
	images := facts.images
	inspector := d.Request.Inspector
	if inspector == nil {
		inspector = s.Inspector
	}
	if err := AwaitServers(ctx, func(ctx context.Context) error { return inspectImages(ctx, inspector, images) }); err != nil {
		return err
	}
	d.Images, d.Description, d.Audit = images, facts.described, facts.audited
	return nil
}

// findStep is the part of ImageAnalysis that reads the documents.
type findStep struct{}

// Name returns StepImageAnalysis.
func (findStep) Name() Name { return StepImageAnalysis }

// Apply sets Images, Description and Audit.
func (findStep) Apply(_ context.Context, d *Draft) error {
	facts, err := readDocuments(d)
	if err != nil {
		return err
	}
	d.Images, d.Description, d.Audit = facts.images, facts.described, facts.audited
	return nil
}

// documentFacts are the images, the description and the audit of the rendered objects.
type documentFacts struct {
	images    []images.Image
	described *objects.Description
	audited   *audit.Report
}

func readDocuments(d *Draft) (facts documentFacts, err error) {
	if facts.images, err = findImages(d); err != nil {
		return facts, err
	}
	if facts.described, err = describeObjects(d); err != nil {
		return facts, err
	}
	var names []string
	for _, image := range facts.images {
		names = append(names, image.Name)
	}
	facts.audited, err = auditObjects(d, names, facts.described)
	return facts, err
}

func findImages(d *Draft) ([]images.Image, error) {
	var listed []string
	if d.Manifest != nil {
		listed = d.Manifest.Images
	}
	return images.FindImages(d.AllDocuments(), listed, images.AnnotatedImages(d.Chart)...)
}

// inspectImages sets the details or the problem of each image.
func inspectImages(ctx context.Context, inspector Inspector, images []images.Image) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxInspections)
	for i := range images {
		group.Go(outcome.Guarded(func() error { return inspectImage(ctx, inspector, &images[i]) }))
	}
	return group.Wait()
}

func inspectImage(ctx context.Context, inspector Inspector, image *images.Image) error {
	detail, err := inspector.Inspect(ctx, image.Name)
	image.Access = images.AccessOf(&detail, err)
	switch {
	case err == nil:
		image.Detail = &detail
	case outcome.IsStalled(err) && !image.Announced:
		return fmt.Errorf("image %s: %w", image.Name, err)
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		image.Problem = err.Error()
	}
	return nil
}
