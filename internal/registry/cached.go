package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/singleflight"
	"k8s.io/utils/lru"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/outcome"
)

// NegativeTTL is the maximum time for which Cached stores that an image does not exist or
// that access is denied, so that a correction takes effect soon.
const NegativeTTL = time.Minute

// sharedTimeout bounds a request that several callers share, and that continues without them: its wait for a slot of
// the registry, and its inspection.
const sharedTimeout = 2 * time.Minute

// Cached returns an Inspector that caches the results for the last size images: by tag for
// ttl, by digest indefinitely, and missing images and denied access for at most NegativeTTL.
// Other errors are not cached. Concurrent calls for the same image share one request, which
// continues when the context of the first caller is done. size is at least one.
func Cached(inner hydrate.Inspector, ttl time.Duration, size int) hydrate.Inspector {
	return &cachedInspector{inner: inner, ttl: ttl, entries: lru.New(max(size, 1))}
}

type cachedInspector struct {
	inner   hydrate.Inspector
	ttl     time.Duration
	entries *lru.Cache
	flights singleflight.Group
}

type cacheEntry struct {
	detail  images.Detail
	err     error
	forever bool
	until   time.Time
}

func (c *cachedInspector) Inspect(ctx context.Context, reference string) (images.Detail, error) {
	key := cacheKey(reference)
	if known, ok := c.lookupEntry(key); ok {
		return known.toResult()
	}
	independent := context.WithoutCancel(ctx)
	flight := c.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(independent, sharedTimeout)
		defer cancel()
		// Another request may have finished in the meantime.
		if known, ok := c.lookupEntry(key); ok {
			return known, nil
		}
		return c.inspectAndStore(ctx, key, reference), nil
	})
	select {
	case result := <-flight:
		return result.Val.(*cacheEntry).toResult()
	case <-ctx.Done():
		return images.Detail{}, fmt.Errorf("inspect image: %w", ctx.Err())
	}
}

func (c *cachedInspector) lookupEntry(key string) (*cacheEntry, bool) {
	found, ok := c.entries.Get(key)
	if !ok {
		return nil, false
	}
	known := found.(*cacheEntry)
	return known, known.forever || time.Now().Before(known.until)
}

func (c *cachedInspector) inspectAndStore(ctx context.Context, key, reference string) *cacheEntry {
	a := &cacheEntry{}
	a.err = outcome.Guarded(func() (err error) {
		a.detail, err = c.inner.Inspect(ctx, reference)
		return err
	})()
	switch {
	case a.err == nil:
		a.forever = isDigest(reference)
		a.until = time.Now().Add(c.ttl)
	case outcome.IsStalled(a.err) || errors.Is(a.err, ErrDenied):
		a.until = time.Now().Add(min(c.ttl, NegativeTTL))
	default:
		return a
	}
	c.entries.Add(key, a)
	return a
}

// toResult returns the result with a copy of the platforms.
func (a *cacheEntry) toResult() (images.Detail, error) {
	detail := a.detail
	detail.Platforms = slices.Clone(detail.Platforms)
	return detail, a.err
}

// cacheKey returns the same key for equivalent references, such as nginx and
// docker.io/library/nginx:latest.
func cacheKey(reference string) string {
	named, err := name.ParseReference(reference)
	if err != nil {
		return reference
	}
	return named.Name()
}

func isDigest(reference string) bool {
	named, err := name.ParseReference(reference)
	if err != nil {
		return false
	}
	_, ok := named.(name.Digest)
	return ok
}
