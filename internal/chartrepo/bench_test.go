package chartrepo_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/appmarket/operator/internal/chartrepo"
)

// discardWriter is a ResponseWriter that discards the body.
type discardWriter struct{ header http.Header }

func (b *discardWriter) Header() http.Header         { return b.header }
func (b *discardWriter) WriteHeader(int)             {}
func (b *discardWriter) Write(p []byte) (int, error) { return len(p), nil }

func benchmarkPath(b *testing.B, path string) {
	store := openStore(b, b.TempDir(), nil)
	for i := range 300 {
		publishAll(b, store, newPublication(b, main, fmt.Sprintf("app-%d", i), "1.0.0"))
	}
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{})
	b.Run("handler", func(b *testing.B) {
		b.ReportAllocs()
		request := httptest.NewRequest(http.MethodGet, path, nil)
		answer := &discardWriter{header: http.Header{}}
		for b.Loop() {
			clear(answer.header)
			handler.ServeHTTP(answer, request)
		}
	})
	b.Run("http", func(b *testing.B) {
		url := listenLocally(b, handler)
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
		defer client.CloseIdleConnections()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				response, err := client.Get(url + path)
				if err != nil {
					b.Error(err)
					return
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					b.Error(err)
				}
				_ = response.Body.Close()
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	})
}

func BenchmarkArchive(b *testing.B) { benchmarkPath(b, "/market/main/charts/app-7-1.0.0.tgz") }
func BenchmarkIndex(b *testing.B)   { benchmarkPath(b, "/market/main/index.yaml") }
