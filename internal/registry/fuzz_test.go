package registry

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/gomega"
)

// FuzzDockerConfig reads any docker config of a Secret. Its passwords must not be part of an error.
func FuzzDockerConfig(f *testing.F) {
	f.Add([]byte(`{"auths": {"https://index.docker.io/v1/": {"auth": "bWU6cHc="}, "quay.io/team": {"username": "me", "password": "pw"}}}`))
	f.Add([]byte(`{"auths": {"": null, "x": {"auth": "***"}, "https://": {"auth": "bWU="}}}`))
	f.Add([]byte(`{"auths": []}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		g := NewWithT(t)
		keys, err := readDockerConfig(content)
		if err != nil {
			g.Expect(err.Error()).NotTo(ContainSubstring("password"))
			return
		}
		for _, image := range []string{"nginx", "quay.io/team/web:1", "registry.example:5000/a/b/c"} {
			reference, err := name.ParseReference(image)
			g.Expect(err).NotTo(HaveOccurred())
			found, err := keys.Resolve(reference.Context())
			g.Expect(err).NotTo(HaveOccurred())
			_, _ = found.Authorization() // An error is one of the request.
		}
	})
}

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
