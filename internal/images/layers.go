package images

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MaxLayers is the maximum number of layers that are recorded for one image, for all its platforms.
const MaxLayers = 1000

// Layer is a compressed layer of an image, as it is stored in a registry.
type Layer struct {
	Digest LayerDigest `json:"digest"`
	Bytes  int64       `json:"bytes"`
}

// LayerDigest is a SHA-256 digest.
type LayerDigest [32]byte

const digestPrefix = "sha256:"

// ParseLayerDigest parses a digest in the form "sha256:<hex>".
func ParseLayerDigest(digest string) (parsed LayerDigest, err error) {
	text, found := strings.CutPrefix(digest, digestPrefix)
	if !found || len(text) != hex.EncodedLen(len(parsed)) {
		return parsed, fmt.Errorf("digest %q: must have the form sha256:<hex>", digest)
	}
	if _, err := hex.Decode(parsed[:], []byte(text)); err != nil {
		return parsed, fmt.Errorf("digest %q: must have the form sha256:<hex>", digest)
	}
	return parsed, nil
}

// MarshalText returns the digest in the form "sha256:<hex>".
func (d LayerDigest) MarshalText() ([]byte, error) {
	return hex.AppendEncode([]byte(digestPrefix), d[:]), nil
}

// UnmarshalText parses a digest in the form "sha256:<hex>".
func (d *LayerDigest) UnmarshalText(text []byte) (err error) {
	*d, err = ParseLayerDigest(string(text))
	return err
}

// ImageLayers are the layers of an image for each of its platforms. Platforms have the form
// os/architecture or os/architecture/variant.
type ImageLayers struct {
	Name      string
	Digest    string
	Platforms map[string][]Layer
}

// ListLayers returns the layers of the images with details.
func ListLayers(all []Image) []ImageLayers {
	var list []ImageLayers
	for i := range all {
		if all[i].Detail != nil {
			list = append(list, LayersOf(all[i].Name, all[i].Detail))
		}
	}
	return list
}

// LayersByName returns images by name.
func LayersByName(list []ImageLayers) map[string]ImageLayers {
	found := make(map[string]ImageLayers, len(list))
	for _, image := range list {
		found[image.Name] = image
	}
	return found
}

// LayersOf returns the layers of an image. If an image has several builds for a platform, such as for several
// versions of Windows, the largest one counts.
func LayersOf(name string, detail *Detail) ImageLayers {
	found := ImageLayers{Name: name, Digest: detail.Digest, Platforms: map[string][]Layer{}}
	sizes := map[string]int64{}
	for i := range detail.Platforms {
		build := &detail.Platforms[i]
		platform := build.name()
		if _, exists := found.Platforms[platform]; !exists || build.Size > sizes[platform] {
			found.Platforms[platform], sizes[platform] = build.Blobs, build.Size
		}
	}
	return found
}

// UnknownLayers returns an image with a separate layer for each platform, for an image of which only the
// size is known.
func UnknownLayers(name, digest string, platforms []string, size int64) ImageLayers {
	found := ImageLayers{Name: name, Digest: digest, Platforms: map[string][]Layer{}}
	for _, platform := range platforms {
		found.Platforms[platform] = []Layer{ownLayer(name, digest, platform, size)}
	}
	return found
}

// ownLayer returns a layer that no other image has.
func ownLayer(name, digest, platform string, size int64) Layer {
	return Layer{Digest: sha256.Sum256([]byte(name + " " + digest + " " + platform)), Bytes: size}
}

// name returns the platform in the form os/architecture or os/architecture/variant. Version 8 is the variant
// of arm64 that a reference without variant has.
func (p *Platform) name() string {
	name := p.OS + "/" + p.Architecture
	if p.Variant != "" && (p.Architecture != "arm64" || p.Variant != "v8") {
		name += "/" + p.Variant
	}
	return name
}

// PullSize is the number of bytes that a node of a platform pulls.
type PullSize struct {
	Platform string
	Bytes    int64
}

// PullSizes returns the sizes of the layers of images for each platform that all of them support, or for each
// platform of one of them if there is no such platform. A layer that several images contain counts once, and a
// layer that an image of present contains does not count. The largest size comes first.
func PullSizes(list []ImageLayers, present ...ImageLayers) []PullSize {
	support, withPlatforms := map[string]int{}, 0
	for _, image := range list {
		if len(image.Platforms) > 0 {
			withPlatforms++
		}
		for platform := range image.Platforms {
			support[platform]++
		}
	}
	platforms := slices.Sorted(maps.Keys(support))
	common := slices.DeleteFunc(slices.Clone(platforms), func(platform string) bool { return support[platform] < withPlatforms })
	if len(common) > 0 {
		platforms = common
	}
	sizes := make([]PullSize, 0, len(platforms))
	for _, platform := range platforms {
		seen := map[LayerDigest]bool{}
		addBytes(seen, present, platform)
		sizes = append(sizes, PullSize{Platform: platform, Bytes: addBytes(seen, list, platform)})
	}
	slices.SortStableFunc(sizes, func(a, b PullSize) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return sizes
}

// LargestPull returns the largest of sizes, 0 if there is none.
func LargestPull(sizes []PullSize) int64 {
	if len(sizes) == 0 {
		return 0
	}
	return sizes[0].Bytes
}

// AllBytes returns the size of the layers of images for all their platforms, each layer once, as a registry
// stores them.
func AllBytes(list []ImageLayers) (sum int64) {
	seen := map[LayerDigest]bool{}
	for _, image := range list {
		for platform := range image.Platforms {
			sum = addSizes(sum, addBytes(seen, []ImageLayers{image}, platform))
		}
	}
	return sum
}

// addBytes adds the layers for a platform to those that were seen, and returns the size of the new ones.
func addBytes(seen map[LayerDigest]bool, list []ImageLayers, platform string) (sum int64) {
	for _, image := range list {
		for _, layer := range image.Platforms[platform] {
			if !seen[layer.Digest] {
				seen[layer.Digest] = true
				sum = addSizes(sum, layer.Bytes)
			}
		}
	}
	return sum
}

// addSizes returns the sum of sizes. A registry can return any size, so that the sum is limited.
func addSizes(a, b int64) int64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return a
}
