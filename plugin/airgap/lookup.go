package airgap

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/internal/images"
)

// Limits of the lookups for one folder. The size of each response and the time of each lookup are limited by the
// inspector.
const (
	maxLookups         = 500
	maxParallelLookups = 8
	lookupTimeout      = 10 * time.Minute
)

// lookUpImages looks up images in their registries: those whose digest the market does not know, and those that only
// other values use, of which it knows no size. It adds their digests and layers. An image that cannot be looked up has
// a problem, because it can be copied by tag all the same.
func (c *Collector) lookUpImages(ctx context.Context, found map[string]Image, layers map[string]images.ImageLayers) error {
	if c.Inspector == nil {
		return nil
	}
	names := namesToLookUp(found, layers)
	if len(names) == 0 {
		return nil
	}
	c.ReportLookups(min(len(names), maxLookups))
	for _, name := range names[min(len(names), maxLookups):] {
		image := found[name]
		image.Problem = fmt.Sprintf("only %d images are looked up", maxLookups)
		found[name] = image
	}
	names = names[:min(len(names), maxLookups)]
	details, problems := make([]images.Detail, len(names)), make([]error, len(names))
	limited, stop := context.WithTimeout(ctx, lookupTimeout)
	defer stop()
	var group errgroup.Group
	group.SetLimit(maxParallelLookups)
	for i, name := range names {
		group.Go(func() error {
			details[i], problems[i] = c.Inspector.Inspect(limited, name)
			return nil // The error is the problem of this image alone.
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, name := range names {
		if problems[i] == nil {
			problems[i] = addDetail(found, layers, name, &details[i])
		}
		if problems[i] != nil {
			image := found[name]
			image.Problem = problems[i].Error()
			found[name] = image
		}
	}
	return ctx.Err()
}

// namesToLookUp returns the names of the images to look up, sorted.
func namesToLookUp(found map[string]Image, layers map[string]images.ImageLayers) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		image, known := found[name], layers[name]
		if image.Digest == "" || len(image.Values) > 0 && known.Digest != image.Digest {
			names = append(names, name)
		}
	}
	return names
}

// addDetail adds the digest and the layers of an image.
func addDetail(found map[string]Image, layers map[string]images.ImageLayers, name string, detail *images.Detail) error {
	image, err := newImage(name, detail.Digest)
	if err != nil {
		return err
	}
	image.Values = found[name].Values
	found[name], layers[name] = image, images.LayersOf(name, detail)
	return nil
}
