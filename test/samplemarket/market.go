// Package samplemarket is a market to try things on: a Helm repository of the
// charts in a folder, and on the same address a container registry with an image
// for every image that these charts name. The images are small and synthetic;
// they have sizes, layers and platforms to be seen, and nothing to be run.
//
// It serves two needs. The command hack/samplemarket is a thin shell around it
// for make run, and tests put it behind an httptest.Server.
//
// Everything is made when the Market is, from the folder alone, and is the same
// every time, so that digests can be compared between runs.
package samplemarket

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Registry is the registry that the sample charts name. Nothing is there in the
// real world; whoever asks is to be given the Market's address as its mirror.
const Registry = "samples.appmarket.io"

// made is when everything in a Market claims to have been made.
var made = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Market serves the repository (/index.yaml and /charts/) and the registry
// (/v2/), for reading only.
type Market struct {
	handler http.Handler
	images  []string
}

// New makes a Market of every chart in the folders below dir. Several folders
// may hold versions of one chart.
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
	mux.Handle("GET /index.yaml", document("application/yaml", index))
	for _, c := range charts {
		mux.Handle("GET /"+c.path(), document("application/gzip", c.archive))
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

// Images are the images that the registry has, in full, sorted.
func (m *Market) Images() []string { return slices.Clone(m.images) }

// document serves bytes that never change, with everything that http.ServeContent
// knows of conditions and ranges.
func document(mediaType string, content []byte) http.Handler {
	tag := fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(content)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", made, bytes.NewReader(content))
	})
}
