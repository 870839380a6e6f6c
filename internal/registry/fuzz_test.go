package registry

import (
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/gomega"
)

// FuzzImageManifest reads any manifest and index of an image.
func FuzzImageManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:` + strings.Repeat("0", 64) + `","platform":{"os":"linux","architecture":"arm64"}}]}`))
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":"sha256:` + strings.Repeat("0", 64) + `"},"layers":[{"size":9223372036854775807},{"size":1},{"size":-1}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		g := NewWithT(t)
		d := &remote.Descriptor{Manifest: raw}
		isIndex(d)
		entries, err := readIndex(raw)
		if err == nil {
			g.Expect(len(entries)).To(BeNumerically("<=", MaxIndexEntries))
		}
		found, err := sumLayers(d, v1.Platform{OS: "linux", Architecture: "amd64"})
		if err == nil {
			g.Expect(found.Size).To(BeNumerically(">=", 0))
		}
	})
}
