package main

import (
	"fmt"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// release is what the image says of the operator in it.
type release struct {
	version  string
	revision string
	created  time.Time
}

// labels are the labels of an image, and its annotations; see the OCI image
// specification.
func (r release) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "appmarket",
		"org.opencontainers.image.description": "An app market for Kubernetes, as an operator.",
		"org.opencontainers.image.source":      "https://github.com/appmarket/operator",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     r.version,
		"org.opencontainers.image.revision":    r.revision,
		"org.opencontainers.image.created":     r.created.Format(time.RFC3339),
	}
}

// program is a build of the operator.
type program struct {
	platform *v1.Platform
	file     string
}

// indexOf returns an index with an image of each program.
func indexOf(of release, programs []program) (v1.ImageIndex, error) {
	base, err := baseLayer()
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range programs {
		image, err := imageOf(of, base, p)
		if err != nil {
			return nil, fmt.Errorf("make image of %s: %w", p.file, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: p.platform}})
	}
	return mutate.Annotations(index, of.labels()).(v1.ImageIndex), nil
}

// imageOf returns the image of one program.
func imageOf(of release, base v1.Layer, p program) (v1.Image, error) {
	text, err := os.ReadFile(p.file)
	if err != nil {
		return nil, err
	}
	top, err := programLayer(text)
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: of.created}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS: p.platform.OS, Architecture: p.platform.Architecture, Variant: p.platform.Variant, Created: created,
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:       fmt.Sprintf("%d:%d", user, user),
			WorkingDir: "/",
			Entrypoint: []string{"/" + programPath},
			Env:        []string{"PATH=/usr/local/bin"},
			Labels:     of.labels(),
		},
	})
	if err != nil {
		return nil, err
	}
	image, err = mutate.Append(image,
		mutate.Addendum{Layer: base, History: v1.History{Created: created, CreatedBy: "base"}},
		mutate.Addendum{Layer: top, History: v1.History{Created: created, CreatedBy: "program"}})
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(image, of.labels()).(v1.Image), nil
}
