package kube

import (
	"context"
	"time"

	"golang.org/x/sync/singleflight"
	utilcache "k8s.io/apimachinery/pkg/util/cache"

	"github.com/appmarket/operator/internal/outcome"
)

const (
	// fetchTimeout bounds each fetch.
	fetchTimeout = 30 * time.Second
	// failureAge is the time for which the error of a fetch is cached.
	failureAge = 3 * time.Second
)

// fetchCache contains the results of recent fetches by key. Callers for the same key share a fetch, which continues
// if a caller leaves. Errors are cached too, so that waiting callers do not repeat a fetch that fails.
type fetchCache[V any] struct {
	running singleflight.Group
	recent  *utilcache.LRUExpireCache
}

// fetched is the result of a fetch.
type fetched[V any] struct {
	value V
	err   error
}

// newFetchCache returns a cache with at most this number of results.
func newFetchCache[V any](size int) *fetchCache[V] {
	return &fetchCache[V]{recent: utilcache.NewLRUExpireCache(size)}
}

// findOrFetch returns the cached result for a key, or fetches it. The function also returns how long its result is cached.
func (c *fetchCache[V]) findOrFetch(ctx context.Context, key string, fetch func(context.Context) (V, time.Duration, error)) (V, error) {
	running := c.running.DoChan(key, func() (any, error) {
		if known, ok := c.recent.Get(key); ok {
			return known, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		var result fetched[V]
		var age time.Duration
		result.err = outcome.Guarded(func() (err error) {
			result.value, age, err = fetch(ctx)
			return err
		})()
		if result.err != nil {
			age = failureAge
		}
		c.recent.Add(key, result, age)
		return result, nil
	})
	select {
	case found := <-running:
		result := found.Val.(fetched[V])
		return result.value, result.err
	case <-ctx.Done():
		return *new(V), ctx.Err()
	}
}
