package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/index"
)

// uploadScheme begins the URL of an offer whose chart was uploaded.
const uploadScheme = "upload:"

// UploadStore contains the charts that were uploaded to sources.
type UploadStore interface {
	// ListUploads lists the charts of a source. The error matches fs.ErrNotExist if the volume has no
	// folder of the source.
	ListUploads(owner hydrate.Owner) ([]UploadedChart, error)
	// AddSource creates the folder of a source.
	AddSource(owner hydrate.Owner) error
	// Archive returns an archive of a source. The error matches fs.ErrNotExist if it does not exist.
	Archive(owner hydrate.Owner, digest string) ([]byte, error)
}

// UploadedChart is an uploaded version of an app. If Err is set, it cannot be read.
type UploadedChart struct {
	App, Version, AppVersion string
	File, Digest             string
	Deprecated               bool
	Created                  time.Time
	Err                      error
}

// UploadConfig configures a source of charts that were uploaded to the operator.
type UploadConfig struct {
	Owner hydrate.Owner
	Store UploadStore
	// HasOffered reports whether the source has offered apps, so that its folder must exist.
	HasOffered bool
	// ConfigMaps reads the ConfigMaps that contain charts. Optional.
	ConfigMaps *ConfigMapReader
}

// upload is a source of type Upload.
type upload struct {
	listingOptions
	UploadConfig
}

func newUpload(cfg UploadConfig, listed listingOptions) (*upload, error) {
	if cfg.Store == nil {
		return nil, errors.New("spec.upload: uploads are not received (--receive-uploads)")
	}
	return &upload{listingOptions: listed, UploadConfig: cfg}, nil
}

// List lists the charts of the source. Without its folder, the volume is another one than before, and
// the apps are kept as they are.
func (u *upload) List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error) {
	charts, err := u.Store.ListUploads(u.Owner)
	if errors.Is(err, fs.ErrNotExist) {
		if u.HasOffered {
			return hydrate.Listing{}, outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf(
				"the volume of the operator does not contain the charts of source %q: restore the volume, or upload the charts again", u.Owner.Source))
		}
		err = u.Store.AddSource(u.Owner)
	}
	if err != nil {
		return hydrate.Listing{}, toUploadError(err)
	}
	selector := newVersionSelector(u.listingOptions, v1alpha1.ReasonInvalidChart)
	digests := map[string]string{}
	for _, chart := range charts {
		if !selector.Wants(chart.App) {
			continue
		}
		if chart.Err != nil {
			selector.Skip(chart.App, chart.Err)
			continue
		}
		digests[chart.File] = chart.Digest
		if err := selector.Add(chart.App, chart.toEntry()); err != nil {
			return hydrate.Listing{}, err
		}
	}
	if u.ConfigMaps != nil {
		if err := u.ConfigMaps.addCharts(ctx, selector, digests); err != nil {
			return hydrate.Listing{}, err
		}
	}
	return selector.toListing("", since), nil
}

func (c UploadedChart) toEntry() index.Entry {
	return index.Entry{
		Name: c.App, Version: c.Version, AppVersion: c.AppVersion, Deprecated: c.Deprecated,
		URL: uploadScheme + c.File, Digest: c.Digest, Created: c.Created.Format(time.RFC3339),
	}
}

// Fetch reads the archive of an offer by its digest.
func (u *upload) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	if err := ctx.Err(); err != nil {
		return hydrate.ChartContent{}, err
	}
	file, isUpload := strings.CutPrefix(offer.URL, uploadScheme)
	if !isUpload {
		if u.ConfigMaps == nil {
			return hydrate.ChartContent{}, outcome.Stalled(v1alpha1.ReasonNotFound, errors.New("read chart: spec.upload.configMapSelector is not set"))
		}
		return u.ConfigMaps.fetchChart(ctx, offer)
	}
	archive, err := u.Store.Archive(u.Owner, offer.Digest)
	if errors.Is(err, fs.ErrNotExist) {
		// It is retried, because the operator does not notice that a volume was restored.
		return hydrate.ChartContent{}, outcome.Failed(v1alpha1.ReasonNotFound, fmt.Errorf(
			"the volume of the operator does not contain the chart %s: restore the volume, or upload the chart again", file))
	}
	return hydrate.ChartContent{Archive: archive}, toUploadError(err)
}

// toUploadError returns an error of the volume as the error of a source that cannot be read.
func toUploadError(err error) error {
	if err == nil || outcome.IsStalled(err) {
		return err
	}
	return outcome.Failed(v1alpha1.ReasonFetchFailed, errors.New(err.Error()))
}
