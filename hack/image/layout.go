package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// refName is the annotation with the name of an image in a layout.
const refName = "org.opencontainers.image.ref.name"

// namedIndex is an index with its name in a layout: a tag, or a name and a tag.
type namedIndex struct {
	name  string
	index v1.ImageIndex
}

// writeLayout replaces a folder with an OCI image layout. Indexes have names in the layout.
// Artifacts have none, because clients find them by their subject.
func writeLayout(folder string, indexes []namedIndex, artifacts []v1.Image) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return fmt.Errorf("write %s: %w", folder, err)
	}
	for _, each := range indexes {
		err := path.AppendIndex(each.index, layout.WithAnnotations(map[string]string{refName: each.name}))
		if err != nil {
			return fmt.Errorf("write %s to %s: %w", each.name, folder, err)
		}
	}
	for _, each := range artifacts {
		if err := path.AppendImage(each); err != nil {
			return fmt.Errorf("write SBOM to %s: %w", folder, err)
		}
	}
	return nil
}

// readLayout returns the indexes and artifacts that writeLayout has written.
func readLayout(folder string) (indexes []namedIndex, artifacts []v1.Image, err error) {
	all, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", folder, err)
	}
	manifest, err := all.IndexManifest()
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", folder, err)
	}
	for _, each := range manifest.Manifests {
		if each.MediaType.IsIndex() {
			index, err := all.ImageIndex(each.Digest)
			if err != nil {
				return nil, nil, fmt.Errorf("read %s: %w", folder, err)
			}
			indexes = append(indexes, namedIndex{name: each.Annotations[refName], index: index})
			continue
		}
		artifact, err := all.Image(each.Digest)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", folder, err)
		}
		artifacts = append(artifacts, artifact)
	}
	if len(indexes) == 0 {
		return nil, nil, fmt.Errorf("read %s: no image found", folder)
	}
	return indexes, artifacts, nil
}

// pushLayout pushes the images of a layout unchanged, with the credentials of docker login, and
// prints their references with digests. A reference without a tag gets the name of the image in the
// layout as tag. An image with a name and a tag is pushed to a repository below the reference.
func pushLayout(ctx context.Context, folder, reference string) error {
	indexes, artifacts, err := readLayout(folder)
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	for _, each := range indexes {
		ref, err := targetOf(reference, each.name)
		if err != nil {
			return err
		}
		if err := remote.WriteIndex(ref, each.index, options...); err != nil {
			return fmt.Errorf("push %s: %w", ref, err)
		}
		digest, err := each.index.Digest()
		if err != nil {
			return err
		}
		for _, artifact := range artifacts {
			if err := pushArtifact(ref.Context(), artifact, options); err != nil {
				return err
			}
		}
		fmt.Printf("%s@%s\n", ref, digest)
	}
	return nil
}

// targetOf returns the reference to which an image with the given name is pushed.
func targetOf(reference, imageName string) (name.Reference, error) {
	if strings.Contains(imageName, ":") {
		return name.NewTag(reference + "/" + imageName)
	}
	if repository, err := name.NewRepository(reference); err == nil {
		return name.NewTag(repository.Name() + ":" + imageName)
	}
	return name.NewTag(reference)
}

func pushArtifact(repository name.Repository, artifact v1.Image, options []remote.Option) error {
	digest, err := artifact.Digest()
	if err != nil {
		return err
	}
	ref := repository.Digest(digest.String())
	if err := remote.Write(ref, artifact, options...); err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	return nil
}
