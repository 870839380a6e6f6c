package main

import (
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// release describes the image of a program.
type release struct {
	title       string
	description string
	// programPath is the path of the program in the image, without the leading slash.
	programPath string
	version     string
	revision    string
	created     time.Time
	// env is added to the environment of the program.
	env []string
}

// labels returns the labels of an image, which are also its annotations, as defined by the OCI
// image specification.
func (r release) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       r.title,
		"org.opencontainers.image.description": r.description,
		"org.opencontainers.image.source":      "https://github.com/appmarket/operator",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     r.version,
		"org.opencontainers.image.revision":    r.revision,
		"org.opencontainers.image.created":     r.created.Format(time.RFC3339),
	}
}

// platformLayer is the layer with the program for a platform.
type platformLayer struct {
	platform *v1.Platform
	layer    v1.Layer
}

// newProgramLayers returns a layer for each program, which has the given path in the image.
func newProgramLayers(path string, programs []platformFile) ([]platformLayer, error) {
	var layers []platformLayer
	for _, p := range programs {
		program, err := readProgram(p)
		if err != nil {
			return nil, err
		}
		layer, err := programLayer(path, program)
		if err != nil {
			return nil, fmt.Errorf("make layer of %s: %w", p.file, err)
		}
		layers = append(layers, platformLayer{platform: p.platform, layer: layer})
	}
	return layers, nil
}

// newIndex returns an index with an image for each program.
func newIndex(r release, base v1.Layer, programs []platformLayer) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range programs {
		image, err := newImage(r, p.platform, base, p.layer)
		if err != nil {
			return nil, fmt.Errorf("make image for %s: %w", p.platform, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: p.platform}})
	}
	return mutate.Annotations(index, r.labels()).(v1.ImageIndex), nil
}

// newImage returns the image for one platform.
func newImage(r release, platform *v1.Platform, base, program v1.Layer) (v1.Image, error) {
	created := v1.Time{Time: r.created}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(image, &v1.ConfigFile{
		OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant, Created: created,
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:       fmt.Sprintf("%d:%d", user, user),
			WorkingDir: "/",
			Entrypoint: []string{"/" + r.programPath},
			Env:        append([]string{"PATH=/usr/local/bin"}, r.env...),
			Labels:     r.labels(),
		},
	})
	if err != nil {
		return nil, err
	}
	image, err = mutate.Append(image,
		mutate.Addendum{Layer: base, History: v1.History{Created: created, CreatedBy: "base"}},
		mutate.Addendum{Layer: program, History: v1.History{Created: created, CreatedBy: "program"}})
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(image, r.labels()).(v1.Image), nil
}

// report prints the digest of an index and the compressed size of each image. It returns an error
// if an image exceeds the limit in MiB, unless the limit is 0.
func report(out io.Writer, index v1.ImageIndex, limit float64) error {
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "digest", digest)
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, each := range manifest.Manifests {
		image, err := index.Image(each.Digest)
		if err != nil {
			return err
		}
		size, err := compressedSize(image)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s %.1f MiB compressed\n", each.Platform, size)
		if limit > 0 && size > limit {
			return fmt.Errorf("image for %s has %.1f MiB compressed, more than the %.1f MiB of --max-mib", each.Platform, size, limit)
		}
	}
	return nil
}

// compressedSize returns the size of the layers of an image in a registry, in MiB.
func compressedSize(image v1.Image) (float64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	var size int64
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return float64(size) / (1 << 20), nil
}
