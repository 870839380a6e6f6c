package images_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/images"
)

// layer returns a layer with a number and a size.
func layer(number int, bytes int64) images.Layer {
	digest, err := images.ParseLayerDigest(fmt.Sprintf("sha256:%064x", number))
	if err != nil {
		panic(err)
	}
	return images.Layer{Digest: digest, Bytes: bytes}
}

// layersOn returns an image with layers for platforms.
func layersOn(name string, layers []images.Layer, platforms ...string) images.ImageLayers {
	image := images.ImageLayers{Name: name, Digest: "sha256:" + name, Platforms: map[string][]images.Layer{}}
	for _, platform := range platforms {
		image.Platforms[platform] = layers
	}
	return image
}

func TestPullSizes(t *testing.T) {
	base, web, db := layer(1, 100), layer(2, 10), layer(3, 1)
	const amd64, arm64 = "linux/amd64", "linux/arm64"
	for _, c := range []struct {
		why           string
		list, present []images.ImageLayers
		want          []images.PullSize
	}{
		{why: "no image", want: []images.PullSize{}},
		{why: "a shared layer", list: []images.ImageLayers{layersOn("web", []images.Layer{base, web}, amd64), layersOn("db", []images.Layer{base, db}, amd64)},
			want: []images.PullSize{{Platform: amd64, Bytes: 111}}},
		{why: "the platforms that all images support", list: []images.ImageLayers{layersOn("web", []images.Layer{base}, amd64, arm64), layersOn("db", []images.Layer{db}, arm64), {Name: "unknown"}},
			want: []images.PullSize{{Platform: arm64, Bytes: 101}}},
		{why: "no platform that all images support, the largest first",
			list: []images.ImageLayers{layersOn("db", []images.Layer{db}, amd64), layersOn("web", []images.Layer{base}, arm64)},
			want: []images.PullSize{{Platform: arm64, Bytes: 100}, {Platform: amd64, Bytes: 1}}},
		{why: "layers that are present", list: []images.ImageLayers{layersOn("web", []images.Layer{base, web}, amd64)},
			present: []images.ImageLayers{layersOn("db", []images.Layer{base, db}, amd64)}, want: []images.PullSize{{Platform: amd64, Bytes: 10}}},
		{why: "layers of another platform are not present", list: []images.ImageLayers{layersOn("web", []images.Layer{base}, amd64)},
			present: []images.ImageLayers{layersOn("web", []images.Layer{base}, arm64)}, want: []images.PullSize{{Platform: amd64, Bytes: 100}}},
		{why: "a sum that overflows", list: []images.ImageLayers{layersOn("web", []images.Layer{layer(1, math.MaxInt64), layer(2, math.MaxInt64)}, amd64)},
			want: []images.PullSize{{Platform: amd64, Bytes: math.MaxInt64}}},
		{why: "an image of which only the size is known", list: []images.ImageLayers{images.UnknownLayers("web", "sha256:1", []string{amd64}, 5), layersOn("db", []images.Layer{db}, amd64)},
			want: []images.PullSize{{Platform: amd64, Bytes: 6}}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			sizes := images.PullSizes(c.list, c.present...)
			g.Expect(sizes).To(Equal(c.want))
			if len(c.want) > 0 {
				g.Expect(images.LargestPull(sizes)).To(Equal(c.want[0].Bytes))
			}
		})
	}
	NewWithT(t).Expect(images.AllBytes([]images.ImageLayers{layersOn("web", []images.Layer{base, web}, amd64), layersOn("db", []images.Layer{base, db}, arm64)})).To(BeEquivalentTo(111))
}

func TestLayersOfPlatforms(t *testing.T) {
	g := NewWithT(t)
	found := images.LayersOf("web", &images.Detail{Digest: "sha256:1", Platforms: []images.Platform{
		{OS: "linux", Architecture: "arm64", Variant: "v8", Size: 1, Blobs: []images.Layer{layer(1, 1)}},
		{OS: "linux", Architecture: "arm", Variant: "v7", Size: 2, Blobs: []images.Layer{layer(2, 2)}},
		{OS: "windows", Architecture: "amd64", Size: 3, Blobs: []images.Layer{layer(3, 3)}},
		{OS: "windows", Architecture: "amd64", Size: 5, Blobs: []images.Layer{layer(5, 5)}},
		{OS: "windows", Architecture: "amd64", Size: 4, Blobs: []images.Layer{layer(4, 4)}},
	}})
	g.Expect(found).To(Equal(images.ImageLayers{Name: "web", Digest: "sha256:1", Platforms: map[string][]images.Layer{
		"linux/arm64": {layer(1, 1)}, "linux/arm/v7": {layer(2, 2)}, "windows/amd64": {layer(5, 5)},
	}}))
}

func TestLayersReport(t *testing.T) {
	g := NewWithT(t)
	list := []images.ImageLayers{
		layersOn("web", []images.Layer{layer(1, 100), layer(2, 10)}, "linux/amd64", "linux/arm64"), layersOn("db", []images.Layer{layer(1, 100)}, "linux/amd64"), layersOn("none", nil),
	}
	text, err := images.EncodeLayers(list)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(strings.Count(string(text), fmt.Sprintf("sha256:%064x", 1))).To(Equal(1), "a shared layer is stored once")
	g.Expect(images.DecodeLayers(text)).To(Equal(list))
	again, err := images.EncodeLayers(list)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again).To(Equal(text))
	for _, invalid := range []string{"", "{", `{"layers":[{"digest":"sha256:1","bytes":1}]}`, `{"layers":[{"digest":"md5:1","bytes":1}]}`,
		`{"layers":[],"images":[{"name":"a","platforms":{"linux/amd64":[0]}}]}`, `{"layers":[],"images":[{"name":"a","platforms":{"linux/amd64":[-1]}}]}`} {
		_, err := images.DecodeLayers([]byte(invalid))
		g.Expect(err).To(HaveOccurred(), invalid)
	}
}

// TestLayersReportIsLimited reports images with many layers, whose sizes remain.
func TestLayersReportIsLimited(t *testing.T) {
	g := NewWithT(t)
	var list []images.ImageLayers
	for i := range 30 {
		layers := make([]images.Layer, images.MaxLayers)
		for n := range layers {
			layers[n] = layer(i*images.MaxLayers+n, 1)
		}
		list = append(list, layersOn(fmt.Sprintf("web-%d", i), layers, "linux/amd64"))
	}
	text, err := images.EncodeLayers(list)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(len(text)).To(BeNumerically("<", 3<<20))
	decoded, err := images.DecodeLayers(text)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(decoded).To(HaveLen(30))
	g.Expect(decoded[0].Platforms["linux/amd64"]).To(HaveLen(images.MaxLayers))
	g.Expect(decoded[29].Platforms["linux/amd64"]).To(ConsistOf(HaveField("Bytes", BeEquivalentTo(images.MaxLayers))))
	g.Expect(images.PullSizes(decoded)).To(Equal([]images.PullSize{{Platform: "linux/amd64", Bytes: 30 * images.MaxLayers}}))
}
