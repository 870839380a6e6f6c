package helmtest

import (
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/appmarket/operator/internal/chart"
	helmrelease "github.com/appmarket/operator/internal/helm/release"
	"github.com/appmarket/operator/internal/helm/storage"
	plain "github.com/appmarket/operator/internal/release"
)

// NewChartFiles returns a chart with the given contents by file name. It adds a Chart.yaml if there is
// none.
func NewChartFiles(content map[string]string) []chart.File {
	if _, ok := content["Chart.yaml"]; !ok {
		content["Chart.yaml"] = "apiVersion: v2\nname: web\nversion: 1.2.3\n"
	}
	var all []chart.File
	for name, text := range content {
		all = append(all, chart.File{Name: name, Data: []byte(text)})
	}
	return all
}

// RandomText returns a text that cannot be compressed.
func RandomText(size int) string {
	text := make([]byte, size)
	source := rand.NewChaCha8([32]byte{7})
	_, _ = source.Read(text) // Read never fails
	return string(text)
}

// NewLargeSpec returns a release whose record is larger than a Secret can be.
func NewLargeSpec(name string, size int, v string) ChartSpec {
	s := NewSpec(map[string]string{"cm.yaml": ConfigMap, "files/noise.bin": RandomText(size)})
	s.Name, s.Values = name, map[string]any{"v": v}
	return s
}

// SmallRandomSize is the size of the noise that makes a release large with SmallChunks.
const SmallRandomSize = 2 << 10

// NewLargeClient returns a client with small chunks, and its new namespace.
func NewLargeClient(t testing.TB) (*ChartClient, string) {
	t.Helper()
	_, namespace := NewClient(t)
	return NewInterceptedClient(t, namespace, PassThrough, SmallChunks), namespace
}

// PassThrough sends a request unchanged.
func PassThrough(request *http.Request, next http.RoundTripper) (*http.Response, error) {
	return next.RoundTrip(request)
}

// SmallChunks makes a release of a few kilobytes a large one. With the race detector, chunks of the
// real size take minutes; the integration tests cover them.
func SmallChunks(c *helmrelease.Clients) { c.ChunkSizes = storage.ChunkSizes{Whole: 3000, Chunk: 1500} }

// NewRollback returns a rollback of the release of NewSpec.
func NewRollback(revision int) plain.Rollback {
	return plain.Rollback{Name: "blog", Revision: revision, Labels: NewSpec(nil).Labels}
}
