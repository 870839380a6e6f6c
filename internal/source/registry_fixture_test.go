package source_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
)

// testRegistry is a registry that records the requests that it gets.
type testRegistry struct {
	host     string
	mu       sync.Mutex
	requests []string
	// before handles a request before the registry, if it returns true.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func startRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{}
	storage := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := startServer(t, func(w http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, request.Method+" "+request.URL.Path)
		before := r.before
		r.mu.Unlock()
		if before != nil && before(w, request) {
			return
		}
		storage.ServeHTTP(w, request)
	})
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// takeRequests returns the requests since the last call, without those for the API version.
func (r *testRegistry) takeRequests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var taken []string
	for _, request := range r.requests {
		if request != "GET /v2/" {
			taken = append(taken, request)
		}
	}
	r.requests = nil
	return taken
}

// push stores a chart as `helm push` does, and returns its archive.
func (r *testRegistry) push(t *testing.T, repository, tag string, metadata map[string]any) []byte {
	t.Helper()
	g := NewWithT(t)
	config, err := json.Marshal(metadata)
	g.Expect(err).NotTo(HaveOccurred())
	archive := []byte("\x1f\x8b" + string(config))
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/vnd.cncf.helm.config.v1+json"), types.OCIManifestSchema1)
	image, err = mutate.Append(image, mutate.Addendum{Layer: static.NewLayer(archive, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")})
	g.Expect(err).NotTo(HaveOccurred())
	r.write(t, repository, tag, chartImage{image, config})
	return archive
}

func (r *testRegistry) write(t *testing.T, repository, tag string, image v1.Image) {
	t.Helper()
	ref, err := name.NewTag(r.host + "/" + repository + ":" + tag)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(remote.Write(ref, image)).To(Succeed())
}

// chartImage is an image whose configuration is the metadata of a chart.
type chartImage struct {
	v1.Image
	config []byte
}

func (c chartImage) RawConfigFile() ([]byte, error) { return c.config, nil }

func (c chartImage) ConfigName() (v1.Hash, error) {
	hash, _, err := v1.SHA256(bytes.NewReader(c.config))
	return hash, err
}

func (c chartImage) Manifest() (*v1.Manifest, error) {
	manifest, err := c.Image.Manifest()
	if err != nil {
		return nil, err
	}
	changed := manifest.DeepCopy()
	changed.Config.Size, changed.Config.Data = int64(len(c.config)), nil
	changed.Config.Digest, err = c.ConfigName()
	changed.Annotations = map[string]string{"org.opencontainers.image.created": "2026-01-02T03:04:05Z"}
	return changed, err
}

func (c chartImage) RawManifest() ([]byte, error) {
	manifest, err := c.Manifest()
	if err != nil {
		return nil, err
	}
	return json.Marshal(manifest)
}

func (c chartImage) Digest() (v1.Hash, error) {
	raw, err := c.RawManifest()
	if err != nil {
		return v1.Hash{}, err
	}
	hash, _, err := v1.SHA256(bytes.NewReader(raw))
	return hash, err
}

func (c chartImage) Size() (int64, error) {
	raw, err := c.RawManifest()
	return int64(len(raw)), err
}

// openRegistry opens a registry as a source that shares its listings, as all sources of the operator do.
func openRegistry(t *testing.T, cfg source.OCIConfig) source.Source {
	t.Helper()
	cfg.Insecure = true
	opened, err := source.Open(source.Config{OCI: &cfg, Network: netguard.Policy{Loopback: true}, Shared: &source.SharedListings{}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return opened
}

func web(version string) map[string]any { return map[string]any{"name": "web", "version": version} }
