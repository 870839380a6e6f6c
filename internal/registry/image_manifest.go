package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/appmarket/operator/internal/images"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/internal/outcome"
)

const (
	// platformsAtOnce bounds the manifests of one index fetched side by side.
	maxParallelPlatforms = 4
	// maxPlatformName bounds each part of a platform, such as arm64.
	maxPlatformName = 32
	// attestation marks the entries of an index that build tools add to say how
	// an image was made; they are no builds of it.
	attestationAnnotation = "vnd.docker.reference.type"
	unknownPlatform       = "unknown"
)

// question is what is asked about one image.
type inspectRequest struct {
	puller *remote.Puller
	ref    name.Reference
}

func (q *inspectRequest) inspectImage(ctx context.Context) (images.Detail, error) {
	top, err := q.puller.Get(ctx, q.ref)
	if err != nil {
		return images.Detail{}, err
	}
	detail := images.Detail{Digest: top.Digest.String()}
	if isIndex(top) {
		detail.Platforms, err = q.readPlatforms(ctx, top.Manifest)
		return detail, err
	}
	only, err := readPlatform(top)
	if err != nil {
		return images.Detail{}, err
	}
	detail.Platforms = []images.Platform{only}
	return detail, nil
}

// isIndex goes by the media type; plain file servers that send none or a general
// one are read by their content.
func isIndex(d *remote.Descriptor) bool {
	if d.MediaType.IsIndex() || d.MediaType.IsImage() || d.MediaType.IsSchema1() {
		return d.MediaType.IsIndex()
	}
	var probe struct {
		Manifests json.RawMessage `json:"manifests"`
	}
	return json.Unmarshal(d.Manifest, &probe) == nil && probe.Manifests != nil
}

// builds are the images of an index. One whose manifest the registry does not
// have, as in a mirror that keeps some platforms only, is left out; so is
// whatever is no image.
func (q *inspectRequest) readPlatforms(ctx context.Context, raw []byte) ([]images.Platform, error) {
	entries, err := readIndex(raw)
	if err != nil {
		return nil, err
	}
	found := make([]*images.Platform, len(entries))
	missing := make([]error, len(entries))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallelPlatforms)
	for i, entry := range entries {
		group.Go(outcome.Guarded(func() error {
			one, err := q.readEntry(ctx, entry)
			if isNotFound(err) {
				missing[i] = err
				return nil
			}
			found[i] = &one
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []images.Platform
	for _, one := range found {
		if one != nil {
			out = append(out, *one)
		}
	}
	if len(out) == 0 {
		return nil, errors.Join(missing...)
	}
	return out, nil
}

func readIndex(raw []byte) ([]v1.Descriptor, error) {
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	if len(index.Manifests) > MaxIndexEntries {
		return nil, fmt.Errorf("the index has %d entries, more than %d", len(index.Manifests), MaxIndexEntries)
	}
	var entries []v1.Descriptor
	for _, entry := range index.Manifests {
		if entry.MediaType.IsImage() && !isAttestation(entry) {
			entries = append(entries, entry)
		}
	}
	if len(entries) == 0 {
		return nil, errors.New("the index names no image")
	}
	return entries, nil
}

func isAttestation(entry v1.Descriptor) bool {
	if entry.Annotations[attestationAnnotation] != "" {
		return true
	}
	return entry.Platform != nil && entry.Platform.OS == unknownPlatform && entry.Platform.Architecture == unknownPlatform
}

func (q *inspectRequest) readEntry(ctx context.Context, entry v1.Descriptor) (images.Platform, error) {
	d, err := q.puller.Get(ctx, q.ref.Context().Digest(entry.Digest.String()))
	if err != nil {
		return images.Platform{}, err
	}
	if entry.Platform == nil || entry.Platform.OS == "" || entry.Platform.Architecture == "" {
		return readPlatform(d)
	}
	return sumLayers(d, *entry.Platform)
}

// build reads one image whose platform only its configuration tells.
func readPlatform(d *remote.Descriptor) (images.Platform, error) {
	manifest, err := v1.ParseManifest(bytes.NewReader(d.Manifest))
	if err != nil {
		return images.Platform{}, fmt.Errorf("read manifest: %w", err)
	}
	if manifest.Config.Digest.Hex == "" {
		return images.Platform{}, errors.New("the manifest is not that of an image")
	}
	if manifest.Config.Size > MaxResponseBytes {
		return images.Platform{}, errTooLarge
	}
	image, err := d.Image()
	if err != nil {
		return images.Platform{}, fmt.Errorf("read image: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return images.Platform{}, fmt.Errorf("read configuration: %w", err)
	}
	return sumLayers(d, v1.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant})
}

// measure adds up the layers of an image.
func sumLayers(d *remote.Descriptor, platform v1.Platform) (images.Platform, error) {
	manifest, err := v1.ParseManifest(bytes.NewReader(d.Manifest))
	if err != nil {
		return images.Platform{}, fmt.Errorf("read manifest: %w", err)
	}
	for _, part := range []string{platform.OS, platform.Architecture, platform.Variant} {
		if len(part) > maxPlatformName {
			return images.Platform{}, fmt.Errorf("the platform has a part of %d bytes, more than %d", len(part), maxPlatformName)
		}
	}
	out := images.Platform{
		OS:           platform.OS,
		Architecture: platform.Architecture,
		Variant:      platform.Variant,
		Digest:       d.Digest.String(),
		Layers:       len(manifest.Layers),
	}
	for _, layer := range manifest.Layers {
		if layer.Size < 0 || layer.Size > math.MaxInt64-out.Size {
			return images.Platform{}, errors.New("the sizes of the layers do not add up")
		}
		out.Size += layer.Size
	}
	return out, nil
}
