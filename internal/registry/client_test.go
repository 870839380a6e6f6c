package registry_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/appmarket/operator/internal/images"

	registryserver "github.com/google/go-containerregistry/pkg/registry"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/registry"
)

// host is the registry name of each server in the tests. It is mirrored to the address of the
// server, as is the registry of the sample market.
const host = "registry.example"

// newServer starts a server with the handler.
func newServer(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func newRegistryServer(t *testing.T) *httptest.Server {
	t.Helper()
	return newServer(t, registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0))))
}

// newClient returns a Client for which host is the given server.
func newClient(t *testing.T, server *httptest.Server, change ...func(*registry.Options)) *registry.Client {
	t.Helper()
	opts := registry.Options{Mirrors: map[string]string{host: server.URL}}
	for _, c := range change {
		c(&opts)
	}
	client, err := registry.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// newImage returns a small image for a platform with layers of one kilobyte.
func newImage(t *testing.T, platform v1.Platform, layers int64) v1.Image {
	t.Helper()
	made := must[v1.Image](t)(random.Image(1<<10, layers))
	config := must[*v1.ConfigFile](t)(made.ConfigFile())
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	return must[v1.Image](t)(mutate.ConfigFile(made, config))
}

func pushImage(t *testing.T, server *httptest.Server, repository string, what remote.Taggable) {
	t.Helper()
	ref := must[name.Reference](t)(name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/" + repository))
	var err error
	switch what := what.(type) {
	case v1.Image:
		err = remote.Write(ref, what)
	case v1.ImageIndex:
		err = remote.WriteIndex(ref, what)
	default:
		err = fmt.Errorf("cannot push %T", what)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func digestOf(t *testing.T, what interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	return must[v1.Hash](t)(what.Digest()).String()
}

func sizeOf(t *testing.T, image v1.Image) int64 {
	t.Helper()
	var size int64
	for _, layer := range must[[]v1.Layer](t)(image.Layers()) {
		size += must[int64](t)(layer.Size())
	}
	return size
}

func layersOf(t *testing.T, image v1.Image) (layers []images.Layer) {
	t.Helper()
	for _, layer := range must[[]v1.Layer](t)(image.Layers()) {
		digest := must[images.LayerDigest](t)(images.ParseLayerDigest(must[v1.Hash](t)(layer.Digest()).String()))
		layers = append(layers, images.Layer{Digest: digest, Bytes: must[int64](t)(layer.Size())})
	}
	return layers
}

func indexEntry(image v1.Image, platform *v1.Platform) mutate.IndexAddendum {
	return mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}}
}

func newIndex(entries ...mutate.IndexAddendum) v1.ImageIndex {
	return mutate.IndexMediaType(mutate.AppendManifests(empty.Index, entries...), types.OCIImageIndex)
}

var (
	amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}
	armV7 = v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
)

func TestIndexResultsInAllPlatforms(t *testing.T) {
	g := NewWithT(t)
	server := newRegistryServer(t)
	first, second, third := newImage(t, amd64, 2), newImage(t, armV7, 3), newImage(t, armV7, 1)
	notes := newImage(t, v1.Platform{OS: "unknown", Architecture: "unknown"}, 1)
	pushed := newIndex(
		indexEntry(first, &amd64),
		indexEntry(second, &armV7),
		indexEntry(third, nil),
		indexEntry(notes, &v1.Platform{OS: "unknown", Architecture: "unknown"}),
	)
	pushImage(t, server, "team/web:1.0", pushed)

	for _, reference := range []string{host + "/team/web:1.0", host + "/team/web@" + digestOf(t, pushed)} {
		detail, err := newClient(t, server).Inspect(t.Context(), reference)

		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(detail).To(Equal(images.Detail{
			Digest: digestOf(t, pushed),
			Platforms: []images.Platform{
				{OS: "linux", Architecture: "amd64", Digest: digestOf(t, first), Size: sizeOf(t, first), Layers: 2, Blobs: layersOf(t, first)},
				{OS: "linux", Architecture: "arm", Variant: "v7", Digest: digestOf(t, second), Size: sizeOf(t, second), Layers: 3, Blobs: layersOf(t, second)},
				{OS: "linux", Architecture: "arm", Variant: "v7", Digest: digestOf(t, third), Size: sizeOf(t, third), Layers: 1, Blobs: layersOf(t, third)},
			},
		}), "attestations are omitted; the platform of an entry defaults to its configuration")
	}
}

func TestSingleImageHasPlatformOfItsConfiguration(t *testing.T) {
	g := NewWithT(t)
	server := newRegistryServer(t)
	pushed := newImage(t, armV7, 2)
	pushImage(t, server, "web:latest", pushed)

	detail, err := newClient(t, server).Inspect(t.Context(), host+"/web")

	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(detail).To(Equal(images.Detail{
		Digest: digestOf(t, pushed),
		Platforms: []images.Platform{
			{OS: "linux", Architecture: "arm", Variant: "v7", Digest: digestOf(t, pushed), Size: sizeOf(t, pushed), Layers: 2, Blobs: layersOf(t, pushed)},
		},
	}))
}

func TestPlatformMissingInMirrorIsOmitted(t *testing.T) {
	g := NewWithT(t)
	store := registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0)))
	kept, dropped := newImage(t, amd64, 1), newImage(t, armV7, 1)
	missing := map[string]bool{digestOf(t, dropped): true}
	server := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at := strings.LastIndexByte(r.URL.Path, '/'); r.Method == http.MethodGet && missing[r.URL.Path[at+1:]] {
			http.NotFound(w, r)
			return
		}
		store.ServeHTTP(w, r)
	}))
	pushImage(t, server, "web:1", newIndex(indexEntry(kept, &amd64), indexEntry(dropped, &armV7)))
	client := newClient(t, server)

	detail, err := client.Inspect(t.Context(), host+"/web:1")

	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(detail.Platforms).To(HaveLen(1))
	g.Expect(detail.Platforms[0].Architecture).To(Equal("amd64"))

	missing[digestOf(t, kept)] = true
	_, err = client.Inspect(t.Context(), host+"/web:1")
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonImageNotFound), "no platform of the image is left")
}

func TestMirrorReplacesRegistry(t *testing.T) {
	cases := []struct{ why, mirrored, prefix, asked, stored string }{
		{"a registry by its own name", host, "", host + "/team/web:1", "team/web:1"},
		{"Docker Hub under its common name", "docker.io", "", "nginx:1", "library/nginx:1"},
		{"a proxy with a path for each registry", "docker.io", "/hub/", "docker.io/team/web:1", "hub/team/web:1"},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			server := newRegistryServer(t)
			pushImage(t, server, c.stored, newImage(t, amd64, 1))
			client := newClient(t, server, func(o *registry.Options) {
				o.Mirrors = map[string]string{c.mirrored: server.URL + c.prefix}
			})

			detail, err := client.Inspect(t.Context(), c.asked)

			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(detail.Platforms).To(HaveLen(1))
		})
	}
}

func TestMissingImageIsStalled(t *testing.T) {
	server := newRegistryServer(t)
	pushImage(t, server, "web:1", newImage(t, amd64, 1))
	client := newClient(t, server)
	cases := []struct{ why, reference, reason string }{
		{"the repository does not exist", host + "/none:1", v1alpha1.ReasonImageNotFound},
		{"the tag does not exist", host + "/web:2", v1alpha1.ReasonImageNotFound},
		{"the digest does not exist", host + "/web@sha256:" + strings.Repeat("0", 64), v1alpha1.ReasonImageNotFound},
		{"the reference is invalid", host + "/Web:1", v1alpha1.ReasonInvalidImage},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)

			_, err := client.Inspect(t.Context(), c.reference)

			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
			g.Expect(err.Error()).NotTo(ContainSubstring("127.0.0.1"), "the address of the mirror is not part of a status")
		})
	}
}

func TestInvalidOptionsAreRejected(t *testing.T) {
	cases := []struct {
		why  string
		opts registry.Options
	}{
		{"a docker config that is not JSON", registry.Options{DockerConfig: []byte("auths: secret")}},
		{"credentials that are not base64", registry.Options{DockerConfig: []byte(`{"auths":{"a.example":{"auth":"secret!"}}}`)}},
		{"a mirror that is not a URL", registry.Options{Mirrors: map[string]string{host: "secret"}}},
		{"a mirror with credentials in its URL", registry.Options{Mirrors: map[string]string{host: "http://me:secret@a.example"}}},
		{"a mirror of an empty name", registry.Options{Mirrors: map[string]string{"": "http://a.example"}}},
		{"a registry with a path", registry.Options{PlainHTTP: []string{"a.example/team"}}},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)

			_, err := registry.New(c.opts)

			g.Expect(err).To(HaveOccurred())
			g.Expect(err.Error()).NotTo(ContainSubstring("secret"))
		})
	}
}
