// Package images fetches the icons of apps, and returns them as small PNG images.
//
// The URL of an icon comes from a chart, so anyone who can publish a chart can choose it. Connections
// to private addresses are refused, also after a redirect. The time, the size, the number of pixels, the
// number of concurrent requests and the memory for all icons are limited. An image is decoded and
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
	// keptFor and retriedAfter are the times for which an icon and a failure are cached.
	keptFor, retriedAfter = 24 * time.Hour, 10 * time.Minute
)

// Fetcher fetches icons. It is safe for concurrent use.
type Fetcher struct {
	client *http.Client
	slots  chan struct{}
	// decoding holds one token: an image is decoded at a time, which bounds the memory.
	decoding chan struct{}
	cache    cache
}

// New returns a fetcher that connects to the addresses that a policy allows.
func New(policy netguard.Policy, userAgent string) *Fetcher {
	transport := netguard.NewTransport(netguard.TransportOptions{
		Policy: policy, UserAgent: userAgent, Timeouts: netguard.Timeouts{Dial: fetchTimeout, TLS: fetchTimeout, Header: fetchTimeout},
	})
	transport.MaxIdleConnsPerHost = 2
	return &Fetcher{
		client: &http.Client{Transport: transport, CheckRedirect: netguard.CheckRedirect},
		slots:  make(chan struct{}, maxFetches), decoding: make(chan struct{}, 1), cache: newCache(),
	}
}

// IsFetchable reports whether the URL of an icon can be fetched at all.
func IsFetchable(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Host != "" && parsed.User == nil
}

// Icon returns the icon with a URL as PNG, nil if there is none: the server does not respond, or does not
// return a supported image. A failure is cached, too. It returns the error of the context if that is
// done before.
func (f *Fetcher) Icon(ctx context.Context, address string) ([]byte, error) {
	if !IsFetchable(address) {
		return nil, nil
	}
	found, isNew := f.cache.entryFor(address, time.Now())
	if isNew {
		go func() {
			var icon []byte
			err := outcome.Guarded(func() (err error) {
				icon, err = f.fetchIcon(address)
				return err
			})()
			if err != nil {
				icon = nil // The page shows a letter instead. A failure is usual: charts contain outdated URLs.
			}
			f.cache.completeEntry(found, icon, time.Now())
		}()
	}
	select {
	case <-found.done:
		return found.icon, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fetchIcon returns the icon with a URL as PNG. Several requests may wait for it, so it does not end with one.
func (f *Fetcher) fetchIcon(address string) ([]byte, error) {
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
	icon, err := encodeIcon(content)
	// The memory of an image is free before the next one is decoded. Icons are seldom fetched.
	runtime.GC()
	return icon, err
}

// downloadFile returns the content of a URL.
func (f *Fetcher) downloadFile(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch icon: %w", err)
	}
	request.Header.Set("Accept", "image/png, image/webp, image/jpeg, image/gif")
	response, err := f.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetch icon: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch icon: unexpected status %d", response.StatusCode)
	}
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind == "text/html" {
		return nil, errors.New("fetch icon: the server returned a page")
	}
	content, err := netguard.ReadBody(response, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("fetch icon: %w", err)
	}
	return content, nil
}
