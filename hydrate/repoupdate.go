package hydrate

import (
	"context"
	"encoding/json"
	"fmt"
)

// RepoUpdate packs the chart, the same inputs always to the same bytes, and hands
// it to the repository together with the reports.
type RepoUpdate struct {
	Publisher Publisher
}

// Name is StepRepoUpdate.
func (RepoUpdate) Name() Name { return StepRepoUpdate }

// Apply sets Published.
func (s RepoUpdate) Apply(ctx context.Context, d *Draft) error {
	archive, err := Pack(d.Chart.Name, d.Files)
	if err != nil {
		return fmt.Errorf("pack chart: %w", err)
	}
	meta, err := json.Marshal(d.Chart)
	if err != nil {
		return fmt.Errorf("encode %s: %w", chartFile, err)
	}
	reports, err := Reports(d)
	if err != nil {
		return err
	}
	published, err := s.Publisher.Publish(ctx, Publication{
		Owner:   d.Request.Owner,
		App:     d.Request.App,
		Version: d.Chart.Version,
		Chart:   meta,
		Archive: archive,
		Digest:  Digest(archive),
		Reports: reports,
	})
	if err != nil {
		return err
	}
	d.Published = published
	return nil
}
