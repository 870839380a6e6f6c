package hydrate

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// SourceChart fetches the chart from its source, compares its digest with the offer, verifies its
// signature, unpacks it within the limits, and adds the charts that it depends on.
type SourceChart struct {
	// Verifier verifies signatures. It may be nil if no request has a policy.
	Verifier Verifier
}

// Name returns StepSourceChart.
func (SourceChart) Name() Name { return StepSourceChart }

// Apply sets Digest, Files, FileCount, Chart and Verdict, or MissingDependencies.
func (s SourceChart) Apply(ctx context.Context, d *Draft) error {
	payload, digest, err := fetchChart(ctx, d.Request)
	if err != nil {
		return err
	}
	if err := s.verifyChart(ctx, d, payload, digest); err != nil {
		return err
	}
	files, err := payload.unpackFiles()
	if err != nil {
		return err
	}
	meta, err := chart.ReadMetadata(files)
	if err != nil {
		return err
	}
	if err := checkMetadata(meta, d.Request); err != nil {
		return err
	}
	if files, err = d.addDependencies(files, payload.Dependencies); err != nil {
		return err
	}
	d.Digest, d.Files, d.FileCount, d.Chart = digest, files, len(files), meta
	return nil
}

func (p ChartContent) contentDigest() string {
	if p.Archive != nil {
		return chart.Digest(p.Archive)
	}
	return chart.TreeDigest(p.Files)
}

func (p ChartContent) unpackFiles() ([]chart.File, error) {
	if p.Archive != nil {
		return chart.Unpack(p.Archive)
	}
	return p.Files, chart.CheckFiles(p.Files)
}

// checkMetadata returns an error if the chart's name or version differs from the source's.
func checkMetadata(meta chart.Metadata, want Request) error {
	if meta.Name != want.App {
		return outcome.Stalledf(v1alpha1.ReasonInvalidChart, "Chart.yaml: name: Invalid value: %q: must be the name %q of the source", meta.Name, want.App)
	}
	if meta.Version != want.Offer.Version {
		return outcome.Stalledf(v1alpha1.ReasonInvalidChart, "Chart.yaml: version: Invalid value: %q: must be the version %q of the source", meta.Version, want.Offer.Version)
	}
	return nil
}
