package samplemarket

import (
	"archive/tar"
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	registryserver "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// PlatformsAnnotation in a Chart.yaml lists the platforms of the chart's images, separated by
// commas. Defaults to linux/amd64 and linux/arm64.
const PlatformsAnnotation = Registry + "/platforms"

const defaultPlatforms = "linux/amd64,linux/arm64"

// imagePattern matches images as the sample charts write them: a complete reference in one string. The
// operator finds images differently.
var imagePattern = regexp.MustCompile(regexp.QuoteMeta(Registry) + `/[a-z0-9/._-]+:[\w.-]+`)

// sampleImage is an image to build.
type sampleImage struct {
	name      string
	platforms []string
}

func imagesOf(charts []sampleChart) []sampleImage {
	var images []sampleImage
	for _, c := range charts {
		platforms := strings.Split(cmp.Or(c.meta.Annotations[PlatformsAnnotation], defaultPlatforms), ",")
		for _, file := range c.files {
			for _, found := range imagePattern.FindAll(file.Data, -1) {
				images = append(images, sampleImage{name: string(found), platforms: platforms})
			}
		}
	}
	slices.SortStableFunc(images, func(a, b sampleImage) int { return cmp.Compare(a.name, b.name) })
	return slices.CompactFunc(images, func(a, b sampleImage) bool { return a.name == b.name })
}

// newRegistry returns a registry with the images.
func newRegistry(images []sampleImage) (http.Handler, error) {
	registry := registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0)))
	for _, i := range images {
		ref, err := name.ParseReference(i.name)
		if err != nil {
			return nil, fmt.Errorf("read image %q: %w", i.name, err)
		}
		index, err := i.buildIndex()
		if err != nil {
			return nil, fmt.Errorf("make image %q: %w", i.name, err)
		}
		if err := remote.WriteIndex(ref, index, remote.WithTransport(handlerTransport{registry})); err != nil {
			return nil, fmt.Errorf("store image %q: %w", i.name, err)
		}
	}
	return registry, nil
}

// handlerTransport sends requests to a handler without a network.
type handlerTransport struct{ handler http.Handler }

func (d handlerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	served := req.Clone(req.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	d.handler.ServeHTTP(recorder, served)
	response := recorder.Result()
	response.Request = req
	return response, nil
}

// buildIndex builds the image for each of its platforms.
func (i sampleImage) buildIndex() (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, text := range i.platforms {
		platform, err := v1.ParsePlatform(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("read platform %q: %w", text, err)
		}
		built, err := i.buildImage(platform)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: built, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return index, nil
}

// buildImage builds an image with two to four layers of random data. The lowest layer is the same for
// all images of a platform, like a common base image.
func (i sampleImage) buildImage(platform *v1.Platform) (v1.Image, error) {
	base, err := randomLayer(newNoise(platform.String()), "base")
	if err != nil {
		return nil, err
	}
	layers := []v1.Layer{base}
	noise := newNoise(i.name + platform.String())
	for n := range 1 + noise.Uint64()%3 {
		own, err := randomLayer(noise, fmt.Sprintf("layer-%d", n))
		if err != nil {
			return nil, err
		}
		layers = append(layers, own)
	}
	built, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layers...)
	if err != nil {
		return nil, err
	}
	config, err := built.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	config.Created = v1.Time{Time: creationTime}
	return mutate.ConfigFile(built, config)
}

func newNoise(seed string) *rand.ChaCha8 {
	return rand.NewChaCha8(sha256.Sum256([]byte(seed)))
}

// randomLayer returns a layer with one incompressible file of 16 to 143 KiB.
func randomLayer(noise *rand.ChaCha8, file string) (v1.Layer, error) {
	content := make([]byte, (16+noise.Uint64()%128)<<10)
	if _, err := noise.Read(content); err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	out := tar.NewWriter(&archive)
	header := &tar.Header{Typeflag: tar.TypeReg, Name: file, Mode: 0o644, Size: int64(len(content)), ModTime: creationTime}
	if err := out.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := out.Write(content); err != nil {
		return nil, err
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return static.NewLayer(archive.Bytes(), types.OCIUncompressedLayer), nil
}
