package main

import (
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// cycloneDX is the media type of an SBOM. It is also the media type of the artifact's
// configuration, and so the artifact type by which clients find an SBOM among the referrers of an
// image.
const cycloneDX types.MediaType = "application/vnd.cyclonedx+json"

// newSBOMs returns an artifact for each SBOM. Its subject is the image of the same platform.
func newSBOMs(index v1.ImageIndex, files []platformFile) ([]v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var artifacts []v1.Image
	for _, f := range files {
		subject, err := imageFor(manifest, f.platform)
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(f.file)
		if err != nil {
			return nil, fmt.Errorf("read SBOM: %w", err)
		}
		artifact, err := newSBOM(subject, text, manifest.Annotations["org.opencontainers.image.created"])
		if err != nil {
			return nil, fmt.Errorf("make artifact of %s: %w", f.file, err)
		}
		artifacts = append(artifacts, artifact)
	}
	return artifacts, nil
}

// imageFor returns the descriptor of the image for a platform.
func imageFor(manifest *v1.IndexManifest, platform *v1.Platform) (v1.Descriptor, error) {
	for _, each := range manifest.Manifests {
		if each.Platform.Equals(*platform) {
			return v1.Descriptor{MediaType: each.MediaType, Size: each.Size, Digest: each.Digest}, nil
		}
	}
	return v1.Descriptor{}, fmt.Errorf("SBOM without a program for %s", platform)
}

func newSBOM(subject v1.Descriptor, text []byte, created string) (v1.Image, error) {
	artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), cycloneDX)
	artifact, err := mutate.AppendLayers(artifact, static.NewLayer(text, cycloneDX))
	if err != nil {
		return nil, err
	}
	annotated := mutate.Annotations(artifact, map[string]string{"org.opencontainers.image.created": created})
	return mutate.Subject(annotated, subject).(v1.Image), nil
}
