package worker

import (
	"context"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
)

// inspection is an order to read the metadata of a chart.
type inspection struct{ Archive []byte }

// ReadMetadata unpacks an archive within the limits of package chart, and returns its Chart.yaml. An
// error about the archive is Stalled.
func (p *Pool) ReadMetadata(ctx context.Context, namespace string, archive []byte) (chart.Metadata, error) {
	got, _, err := p.runOrder(ctx, namespace, order{Inspection: &inspection{Archive: archive}}, nil)
	if err == nil {
		err = got.toError()
	}
	if err != nil {
		return chart.Metadata{}, err
	}
	return got.Draft.Chart, nil
}

// inspectChart carries out an inspection.
func inspectChart(archive []byte) answer {
	files, err := chart.Unpack(archive)
	if err != nil {
		return newErrorAnswer(err)
	}
	meta, err := chart.ReadMetadata(files)
	if err != nil {
		return newErrorAnswer(err)
	}
	return answer{Draft: &hydrate.Draft{Chart: meta}}
}
