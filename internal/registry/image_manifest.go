package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxParallelPlatforms is the maximum number of manifests of one index that are fetched
	// concurrently.
	maxParallelPlatforms = 4
	// maxPlatformName is the maximum length of a part of a platform, such as arm64.
	maxPlatformName = 32
	// attestationAnnotation marks entries of an index that describe how an image was built;
	// they are not platforms.
	attestationAnnotation = "vnd.docker.reference.type"
	unknownPlatform       = "unknown"
)

// inspectRequest is the inspection of one image.
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

// isIndex reports whether a manifest is an index. Plain file servers send no specific media
// type, so the content is checked for them.
func isIndex(d *remote.Descriptor) bool {
	if d.MediaType.IsIndex() || d.MediaType.IsImage() || d.MediaType.IsSchema1() {
		return d.MediaType.IsIndex()
	}
	var probe struct {
		Manifests json.RawMessage `json:"manifests"`
	}
	return json.Unmarshal(d.Manifest, &probe) == nil && probe.Manifests != nil
}

// readPlatforms returns the platforms of an index. An entry is omitted if it is not an image,
// or if the registry does not have its manifest, such as a mirror of some platforms only.
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
	return out, limitLayers(out)
}

func readIndex(raw []byte) ([]v1.Descriptor, error) {
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("parse index: %w", err)
	}
	if len(index.Manifests) > MaxIndexEntries {
		return nil, fmt.Errorf("index has %d entries, the limit is %d", len(index.Manifests), MaxIndexEntries)
	}
	var entries []v1.Descriptor
	for _, entry := range index.Manifests {
		if entry.MediaType.IsImage() && !isAttestation(entry) {
			entries = append(entries, entry)
		}
	}
	if len(entries) == 0 {
		return nil, errors.New("index contains no image")
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

// readPlatform returns the platform of an image from its configuration.
func readPlatform(d *remote.Descriptor) (images.Platform, error) {
	manifest, err := v1.ParseManifest(bytes.NewReader(d.Manifest))
	if err != nil {
		return images.Platform{}, fmt.Errorf("read manifest: %w", err)
	}
	if manifest.Config.Digest.Hex == "" {
		return images.Platform{}, errors.New("manifest is not an image manifest")
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

// sumLayers returns the platform with the number and the total size of its layers.
func sumLayers(d *remote.Descriptor, platform v1.Platform) (images.Platform, error) {
	manifest, err := v1.ParseManifest(bytes.NewReader(d.Manifest))
	if err != nil {
		return images.Platform{}, fmt.Errorf("read manifest: %w", err)
	}
	for _, part := range []string{platform.OS, platform.Architecture, platform.Variant} {
		if len(part) > maxPlatformName {
			return images.Platform{}, fmt.Errorf("platform has a part of %d bytes, the limit is %d", len(part), maxPlatformName)
		}
	}
	out := images.Platform{
		OS:           platform.OS,
		Architecture: platform.Architecture,
		Variant:      platform.Variant,
		Digest:       d.Digest.String(),
		Layers:       len(manifest.Layers),
	}
	seen := map[v1.Hash]bool{}
	for _, layer := range manifest.Layers {
		if layer.Size < 0 || layer.Size > math.MaxInt64-out.Size {
			return images.Platform{}, errors.New("sizes of the layers are invalid")
		}
		if seen[layer.Digest] {
			continue // A container runtime pulls it once.
		}
		seen[layer.Digest] = true
		out.Size += layer.Size
		digest, err := images.ParseLayerDigest(layer.Digest.String())
		if err != nil {
			return images.Platform{}, fmt.Errorf("layer: %w", err)
		}
		out.Blobs = append(out.Blobs, images.Layer{Digest: digest, Bytes: layer.Size})
	}
	if len(out.Blobs) > images.MaxLayers {
		out.Blobs, err = singleLayer(&out)
	}
	return out, err
}

// singleLayer returns one layer with the size of an image and the digest of its manifest.
func singleLayer(of *images.Platform) ([]images.Layer, error) {
	digest, err := images.ParseLayerDigest(of.Digest)
	return []images.Layer{{Digest: digest, Bytes: of.Size}}, err
}

// limitLayers replaces the layers of the last platforms if the image has more than images.MaxLayers layers.
func limitLayers(platforms []images.Platform) (err error) {
	count := 0
	for i := range platforms {
		if count += len(platforms[i].Blobs); count > images.MaxLayers {
			if platforms[i].Blobs, err = singleLayer(&platforms[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
