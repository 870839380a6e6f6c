//go:build e2e

package e2e_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

// samplesURL is the URL of the charts of the sample market.
var samplesURL string

// appLayer is the image layer with the program of the slow and failing apps.
var appLayer v1.Layer

// startRegistry serves a registry with the images of the operator and of every sample app, under
// the paths in the release files, and the charts of the sample market.
func startRegistry(ctx context.Context, dir string) {
	GinkgoHelper()
	serveHandler(registryAddress, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	digest = strings.TrimSpace(fixture.Run(ctx, "go", "run", fixture.Path("hack/release"), "digest", os.Getenv("IMAGE_LAYOUT")))
	Expect(digest).To(HavePrefix("sha256:"))
	fixture.Run(ctx, "go", "run", fixture.Path("hack/image"), "push", os.Getenv("IMAGE_LAYOUT"), registryAddress+"/"+imagePath)
	fixture.Run(ctx, "go", "run", fixture.Path("hack/image"), "push", releaseFile("sample-images"), registryAddress+"/appmarket/samples")
	samplesURL = "http://" + serveHandler(host+":0", http.FileServer(http.Dir(releaseFile("samples"))))

	program := filepath.Join(dir, "app")
	buildApp(ctx, program)
	appLayer = layerWith("app", program)
}

// releaseFile returns the path of a file that make image, make samples or make chart wrote.
func releaseFile(file string) string { return filepath.Join(os.Getenv("DIST"), file) }

// serveHandler serves a handler at an address until the suite ends, and returns the address.
func serveHandler(address string, handler http.Handler) string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", address)
	Expect(err).NotTo(HaveOccurred())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // returns when the server is closed
	DeferCleanup(server.Close)
	return listener.Addr().String()
}

// imageReference returns the reference of an image in the registry of the test.
func imageReference(image string) name.Reference {
	GinkgoHelper()
	ref, err := name.ParseReference(registryAddress+"/"+image, name.Insecure)
	Expect(err).NotTo(HaveOccurred())
	return ref
}

// buildApp builds the program of the slow and failing apps statically, because their image contains
// nothing else.
func buildApp(ctx context.Context, program string) {
	GinkgoHelper()
	Expect(os.Setenv("CGO_ENABLED", "0")).To(Succeed())
	defer func() { Expect(os.Unsetenv("CGO_ENABLED")).To(Succeed()) }()
	fixture.Run(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, fixture.Path("test/e2e/app"))
}

// layerWith returns an image layer with a program at a path.
func layerWith(file, program string) v1.Layer {
	GinkgoHelper()
	text, err := os.ReadFile(program)
	Expect(err).NotTo(HaveOccurred())
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	Expect(w.WriteHeader(&tar.Header{Name: file, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg})).To(Succeed())
	_, err = w.Write(text)
	Expect(err).NotTo(HaveOccurred())
	Expect(w.Close()).To(Succeed())
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	Expect(err).NotTo(HaveOccurred())
	return layer
}

// pushApp pushes an image with this program and additional layers under a name with a tag.
func pushApp(image string, more ...v1.Layer) {
	GinkgoHelper()
	app, version, _ := strings.Cut(image, ":")
	made := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	made, err := mutate.ConfigFile(made, &v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH,
		Config: v1.Config{User: "65532:65532", Entrypoint: []string{"/app"}, Env: []string{"APP=" + app, "APP_VERSION=" + version}},
	})
	Expect(err).NotTo(HaveOccurred())
	made, err = mutate.AppendLayers(made, append(more, appLayer)...)
	Expect(err).NotTo(HaveOccurred())
	Expect(remote.Write(imageReference(image), made)).To(Succeed())
}

// removeImage deletes an image from the registry.
func removeImage(image string) {
	GinkgoHelper()
	found, err := remote.Get(imageReference(image))
	Expect(err).NotTo(HaveOccurred())
	repository, _, _ := strings.Cut(image, ":")
	for _, ref := range []string{image, repository + "@" + found.Digest.String()} {
		// Deleting a tag may delete the manifest too.
		_ = remote.Delete(imageReference(ref))
	}
	_, err = remote.Get(imageReference(image))
	Expect(err).To(HaveOccurred())
}
