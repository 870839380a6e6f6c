// Package samplemarket provides a market to try AppMarket with: a Helm repository of
// the charts in a folder, and at the same address a container registry with every
// image that these charts name. The images are small and synthetic. They have sizes,
// layers and platforms, but contain no program.
//
// It has two users: the command hack/samplemarket, which make run starts, and tests,
// which serve the Market with httptest.
//
// New builds everything from the folder alone and deterministically, so that digests
// can be compared between runs.
package samplemarket

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Registry is the registry that the sample charts name. It does not exist, so clients need the
// address of the Market as its mirror.
const Registry = "samples.appmarket.io"

// creationTime is the creation time of everything in a Market.
var creationTime = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Market serves the repository (/index.yaml and /charts/) and the registry (/v2/), both read-only.
type Market struct {
	handler http.Handler
	images  []string
}

// New returns a Market of every chart in the folders below dir. Several folders may contain
// versions of the same chart.
func New(dir string) (*Market, error) {
	charts, err := readCharts(dir)
	if err != nil {
		return nil, err
	}
	index, err := indexOf(charts)
	if err != nil {
		return nil, err
	}
	images := imagesOf(charts)
	registry, err := newRegistry(images)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /index.yaml", serveContent("application/yaml", index))
	for _, c := range charts {
		mux.Handle("GET /"+c.fileName(), serveContent("application/gzip", c.archive))
	}
	mux.Handle("GET /v2/", registry)
	m := &Market{handler: mux}
	for _, i := range images {
		m.images = append(m.images, i.name)
	}
	return m, nil
}

// ServeHTTP implements http.Handler.
func (m *Market) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

// Images returns the sorted full names of the images in the registry.
func (m *Market) Images() []string { return slices.Clone(m.images) }

// serveContent returns a handler of immutable content that supports conditional requests and ranges.
func serveContent(mediaType string, content []byte) http.Handler {
	tag := fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(content)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", creationTime, bytes.NewReader(content))
	})
}
