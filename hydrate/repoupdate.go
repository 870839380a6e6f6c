package hydrate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"
)

// RepoUpdate packs the chart and publishes it in the repository with its reports. The same
// inputs always result in the same bytes.
type RepoUpdate struct {
	Publisher Publisher
}

// Name returns StepRepoUpdate.
func (RepoUpdate) Name() Name { return StepRepoUpdate }

// Apply sets Published. It packs the chart first, unless a worker has done so.
func (s RepoUpdate) Apply(ctx context.Context, d *Draft) error {
	if !d.analyzed {
		if err := (packStep{}).Apply(ctx, d); err != nil {
			return err
		}
	}
	meta, err := json.Marshal(d.indexedMetadata())
	if err != nil {
		return fmt.Errorf("encode %s: %w", chart.MetadataFile, err)
	}
	reports := maps.Clone(d.Reports)
	if reports["images.json"], err = indentedJSON(d.Images); err != nil {
		return fmt.Errorf("encode images.json: %w", err)
	}
	if reports[images.LayersReport], err = images.EncodeLayers(images.ListLayers(d.Images)); err != nil {
		return err
	}
	published, err := s.Publisher.Publish(ctx, PublishRequest{
		Owner:   d.Request.Owner,
		App:     d.Request.App,
		Version: d.Chart.Version,
		Chart:   meta,
		Archive: d.Archive,
		Digest:  chart.Digest(d.Archive),
		Reports: reports,
	})
	if err != nil {
		return err
	}
	d.Published = published
	return nil
}

// packStep is the part of RepoUpdate that reads the files of the chart.
type packStep struct{}

// Name returns StepRepoUpdate.
func (packStep) Name() Name { return StepRepoUpdate }

// Apply sets Archive and Reports.
func (packStep) Apply(_ context.Context, d *Draft) error {
	archive, err := chart.Pack(d.Chart.Name, d.Files)
	if err != nil {
		return fmt.Errorf("pack chart: %w", err)
	}
	reports, err := NewReports(d)
	if err != nil {
		return err
	}
	d.Archive, d.Reports = archive, reports
	return nil
}
