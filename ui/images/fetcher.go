// Package images fetches the icons and the screenshots of apps, and returns them as small PNG and JPEG images.
//
// The URL of an image comes from a chart, so anyone who can publish a chart can choose it. Connections
// to private addresses are refused, also after a redirect. The time, the size, the number of pixels, the
// number of concurrent requests and the memory for all images are limited. An image is decoded and
// encoded again, so that a browser never receives the bytes of a foreign server. SVG is not supported.
package images

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxBytes is the size of the largest file that is fetched.
	maxBytes = 1 << 20
	// fetchTimeout bounds a request, and waitTimeout the wait for a request to start, and the request.
	fetchTimeout, waitTimeout = 5 * time.Second, 20 * time.Second
	// maxFetches is the number of concurrent requests.
	maxFetches = 8
	// keptFor and retriedAfter are the times for which an image and a failure are cached.
	keptFor, retriedAfter = 24 * time.Hour, 10 * time.Minute
)

// Fetcher fetches icons and screenshots. It is safe for concurrent use.
type Fetcher struct {
	client *http.Client
	slots  chan struct{}
	// decoding holds one token: an image is decoded at a time, which bounds the memory.
	decoding     chan struct{}
	icons, shots *cache
}

// New returns a fetcher that connects to the addresses that a policy allows.
func New(policy netguard.Policy, userAgent string) *Fetcher {
	transport := netguard.NewTransport(netguard.TransportOptions{
		Policy: policy, UserAgent: userAgent, Timeouts: netguard.Timeouts{Dial: fetchTimeout, TLS: fetchTimeout, Header: fetchTimeout},
	})
	transport.MaxIdleConnsPerHost = 2
	return &Fetcher{
		client: &http.Client{Transport: transport, CheckRedirect: netguard.CheckRedirect},
		slots:  make(chan struct{}, maxFetches), decoding: make(chan struct{}, 1),
		icons: newCache(maxCachedBytes), shots: newCache(maxShotBytes),
	}
}

// IsFetchable reports whether the URL of an image can be fetched at all.
func IsFetchable(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Host != "" && parsed.User == nil
}

// Icon returns the icon with a URL as PNG, nil if there is none: the server does not respond, or does not
// return a supported image. A failure is cached, too. It returns the error of the context if that is
// done before.
func (f *Fetcher) Icon(ctx context.Context, address string) ([]byte, error) {
	return f.load(ctx, f.icons, address, encodeIcon)
}

// Shot returns the screenshot with a URL as JPEG, as Icon returns an icon.
func (f *Fetcher) Shot(ctx context.Context, address string) ([]byte, error) {
	return f.load(ctx, f.shots, address, encodeShot)
}

// load returns an image of a cache, which is fetched and encoded if it is not in the cache.
func (f *Fetcher) load(ctx context.Context, kept *cache, address string, encode func([]byte) ([]byte, error)) ([]byte, error) {
	if !IsFetchable(address) {
		return nil, nil
	}
	found, isNew := kept.entryFor(address, time.Now())
	if isNew {
		go func() {
			var image []byte
			err := outcome.Guarded(func() (err error) {
				image, err = f.fetchImage(address, encode)
				return err
			})()
			if err != nil {
				image = nil // The page shows a letter instead of an icon. A failure is usual: charts contain outdated URLs.
			}
			kept.completeEntry(found, image, time.Now())
		}()
	}
	select {
	case <-found.done:
		return found.image, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fetchImage returns the image with a URL as encode returns it. Several requests may wait for it, so it does not end
// with one.
func (f *Fetcher) fetchImage(address string, encode func([]byte) ([]byte, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, stop := context.WithTimeout(ctx, fetchTimeout)
	defer stop()
	content, err := f.downloadFile(ctx, address)
	if err != nil {
		return nil, err
	}
	select {
	case f.decoding <- struct{}{}:
		defer func() { <-f.decoding }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	image, err := encode(content)
	// The memory of an image is free before the next one is decoded. Images are seldom fetched.
	runtime.GC()
	return image, err
}

// downloadFile returns the content of a URL.
func (f *Fetcher) downloadFile(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch image: %w", err)
	}
	request.Header.Set("Accept", "image/png, image/webp, image/jpeg, image/gif")
	response, err := f.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetch image: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch image: unexpected status %d", response.StatusCode)
	}
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind == "text/html" {
		return nil, errors.New("fetch image: the server returned a page")
	}
	content, err := netguard.ReadBody(response, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("fetch image: %w", err)
	}
	return content, nil
}
