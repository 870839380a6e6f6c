package uploads

import (
	"encoding/json"
	"errors"
	"fmt"

	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/opencontainers/go-digest"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// Media types of a chart in an OCI registry, as Helm defines them.
const (
	mediaTypeConfig     = "application/vnd.cncf.helm.config.v1+json"
	mediaTypeArchive    = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	mediaTypeProvenance = "application/vnd.cncf.helm.chart.provenance.v1.prov"
)

// MediaTypeManifest is the media type of the manifest of a chart.
const MediaTypeManifest = ocispec.MediaTypeImageManifest

// Limits of the parts of a chart in an OCI registry other than its archive.
const (
	MaxManifestBytes   = 64 << 10
	maxConfigBytes     = 1 << 20
	maxProvenanceBytes = 1 << 20
	maxLayers          = 2
)

// artifact is a chart as an OCI artifact.
type artifact struct {
	manifest                    []byte
	archive, config, provenance *Blob
}

// newArtifact returns the artifact of an archive that was uploaded without a manifest, and its
// config. It is the same for the same archive.
func newArtifact(meta chart.Metadata, archive Blob) (artifact, []byte, error) {
	config, err := json.Marshal(meta)
	if err != nil {
		return artifact{}, nil, fmt.Errorf("encode config: %w", err)
	}
	described := Blob{Digest: DigestOf(config), Size: int64(len(config))}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    ocispec.Descriptor{MediaType: mediaTypeConfig, Digest: digest.Digest(described.Digest), Size: described.Size},
		Layers:    []ocispec.Descriptor{{MediaType: mediaTypeArchive, Digest: digest.Digest(archive.Digest), Size: archive.Size}},
	})
	if err != nil {
		return artifact{}, nil, fmt.Errorf("encode manifest: %w", err)
	}
	return artifact{manifest: manifest, archive: &archive, config: &described}, config, nil
}

// parseManifest returns the artifact of a manifest that a client pushes. The manifest must
// describe a Helm chart. The content to which it refers is not read.
func parseManifest(data []byte) (artifact, error) {
	var manifest ocispec.Manifest
	if len(data) > MaxManifestBytes {
		return artifact{}, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("the manifest has more than %d bytes", MaxManifestBytes))
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		return artifact{}, outcome.Stalled(v1alpha1.ReasonInvalidChart, errors.New("the manifest is not valid JSON"))
	}
	if manifest.Config.MediaType != mediaTypeConfig || len(manifest.Layers) > maxLayers {
		return artifact{}, outcome.Stalled(v1alpha1.ReasonInvalidChart, errors.New("the manifest does not describe a Helm chart: push charts with helm push"))
	}
	found := artifact{manifest: data}
	for _, part := range []struct {
		target **Blob
		media  string
		limit  int64
	}{
		{&found.config, mediaTypeConfig, maxConfigBytes},
		{&found.archive, mediaTypeArchive, chart.MaxArchiveBytes},
		{&found.provenance, mediaTypeProvenance, maxProvenanceBytes},
	} {
		for _, described := range append(manifest.Layers, manifest.Config) {
			if described.MediaType != part.media {
				continue
			}
			if !IsDigest(described.Digest.String()) || described.Size > part.limit || *part.target != nil {
				return artifact{}, outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf("the manifest has an invalid part of type %s", part.media))
			}
			*part.target = &Blob{Digest: described.Digest.String(), Size: described.Size}
		}
	}
	if found.archive == nil {
		return artifact{}, outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf("the manifest has no layer of type %s", mediaTypeArchive))
	}
	return found, nil
}
