package images_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/ui/images"
)

// newImage returns an image whose left half is red and whose right half is transparent.
func newImage(width, height int) image.Image {
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width / 2 {
			picture.Set(x, y, color.NRGBA{200, 0, 0, 255})
		}
	}
	return picture
}

// encoded returns an image in the format of an encoder.
func encoded(t *testing.T, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var out bytes.Buffer
	NewWithT(t).Expect(encode(&out)).To(Succeed())
	return out.Bytes()
}

// startOfPNG returns the start of a PNG image with a number of bits for each value.
func startOfPNG(width, height uint32, bits byte) []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	header = append(binary.BigEndian.AppendUint32(header, height), bits, 6, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(header))
}

// startServer serves files by path, and counts the requests.
func startServer(t *testing.T, files map[string]http.HandlerFunc) (server *httptest.Server, requests *atomic.Int32) {
	t.Helper()
	requests = &atomic.Int32{}
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if serve, ok := files[r.URL.Path]; ok {
			serve(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server, requests
}

func content(text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) } // The client may stop to read.
}

func TestIconsHaveOneFormat(t *testing.T) {
	wide := newImage(400, 200)
	server, requests := startServer(t, map[string]http.HandlerFunc{
		"/png":  content(encoded(t, func(out *bytes.Buffer) error { return png.Encode(out, wide) })),
		"/jpeg": content(encoded(t, func(out *bytes.Buffer) error { return jpeg.Encode(out, wide, nil) })),
		"/gif":  content(encoded(t, func(out *bytes.Buffer) error { return gif.Encode(out, wide, nil) })),
		"/side": content(encoded(t, func(out *bytes.Buffer) error { return png.Encode(out, newImage(4096, 2048)) })),
		"/tiny": content(encoded(t, func(out *bytes.Buffer) error { return png.Encode(out, newImage(2, 1)) })),
	})
	fetcher := images.New(netguard.Policy{Loopback: true}, "test")
	for _, path := range []string{"/png", "/jpeg", "/gif", "/side", "/tiny"} {
		t.Run(path, func(t *testing.T) {
			g := NewWithT(t)
			icon, err := fetcher.Icon(t.Context(), server.URL+path)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(len(icon)).To(BeNumerically("<", 12<<10))
			decoded, err := png.Decode(bytes.NewReader(icon))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(decoded.Bounds()).To(Equal(image.Rect(0, 0, 96, 96)))
			red, green, _, alpha := decoded.At(20, 48).RGBA()
			g.Expect([]bool{red > 0xb000, green < 0x3000, alpha == 0xffff}).To(Equal([]bool{true, true, true}), "the left half keeps its color")
			_, green, _, _ = decoded.At(2, 2).RGBA()
			g.Expect(green).To(BeNumerically(">", 0xf000), "the background is white")
		})
	}
	g := NewWithT(t)
	before := requests.Load()
	_, err := fetcher.Icon(t.Context(), server.URL+"/png")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(requests.Load()).To(Equal(before), "an icon is cached")
}

func TestHostileIcons(t *testing.T) {
	server, requests := startServer(t, map[string]http.HandlerFunc{
		"/svg":  content([]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`)),
		"/huge": content(startOfPNG(30000, 30000, 8)),
		"/wide": content(startOfPNG(4097, 1, 8)),
		"/deep": content(startOfPNG(4096, 4096, 16)),
		"/large": func(w http.ResponseWriter, _ *http.Request) {
			block := make([]byte, 1<<20)
			for range 1000 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		},
		"/broken":   content([]byte("\x89PNG\r\n\x1a\nx")),
		"/empty":    content(nil),
		"/metadata": http.RedirectHandler("http://169.254.169.254/latest", http.StatusFound).ServeHTTP,
		"/file":     http.RedirectHandler("file:///etc/passwd", http.StatusFound).ServeHTTP,
		"/loop":     http.RedirectHandler("/loop", http.StatusFound).ServeHTTP,
	})
	fetcher := images.New(netguard.Policy{Loopback: true}, "test")
	for _, address := range []string{
		server.URL + "/svg", server.URL + "/huge", server.URL + "/wide", server.URL + "/deep", server.URL + "/large", server.URL + "/broken", server.URL + "/empty", server.URL + "/metadata", server.URL + "/file", server.URL + "/loop",
		server.URL + "/none", "http://169.254.169.254/latest", "javascript:alert(1)", "data:image/png;base64,AA", "//evil.example/x.png", "https://a:b@evil.example/x.png", "",
	} {
		t.Run(address, func(t *testing.T) {
			g := NewWithT(t)
			icon, err := fetcher.Icon(t.Context(), address)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(icon).To(BeNil())
		})
	}
	g := NewWithT(t)
	before := requests.Load()
	icon, err := images.New(netguard.Policy{}, "test").Icon(t.Context(), server.URL+"/svg")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(icon).To(BeNil())
	_, err = fetcher.Icon(t.Context(), server.URL+"/none")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(requests.Load()).To(Equal(before), "private addresses are refused, and failures are cached")
}

func TestIconIsFetchedOnce(t *testing.T) {
	g := NewWithT(t)
	release := make(chan struct{})
	small := encoded(t, func(out *bytes.Buffer) error { return png.Encode(out, newImage(4, 4)) })
	server, requests := startServer(t, map[string]http.HandlerFunc{"/slow": func(w http.ResponseWriter, r *http.Request) {
		<-release
		content(small)(w, r)
	}})
	fetcher := images.New(netguard.Policy{Loopback: true}, "test")
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := fetcher.Icon(short, server.URL+"/slow")
	g.Expect(err).To(MatchError(context.DeadlineExceeded), "a request waits no longer than its context")
	var waiting sync.WaitGroup
	found := make([][]byte, 10)
	for i := range found {
		waiting.Go(func() { found[i], _ = fetcher.Icon(t.Context(), server.URL+"/slow") }) // The icon says whether it failed.
	}
	close(release)
	waiting.Wait()
	for _, icon := range found {
		g.Expect(icon).NotTo(BeNil())
	}
	g.Expect(requests.Load()).To(BeEquivalentTo(1))
}
