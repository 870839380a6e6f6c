package license

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/utils/lru"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// MaxKeySets is the number of key sets that are cached. The least recently used one is
	// evicted first.
	MaxKeySets = 100
	// MaxKeySetAge is how long keys are valid without confirmation by the issuer.
	MaxKeySetAge = 24 * time.Hour

	keySetTimeout = 10 * time.Second
	// keySetLifetime is used if the issuer does not specify a lifetime. A lifetime is limited
	// to minKeySetLifetime and MaxKeySetAge.
	keySetLifetime    = 10 * time.Minute
	minKeySetLifetime = time.Minute
	// minRenewInterval is the minimum interval of requests caused by a key that is not in the
	// set.
	minRenewInterval = time.Minute
	// retryInterval is the time until a failed request is repeated.
	retryInterval = 15 * time.Second
)

// Keys fetches and caches the key sets that issuers publish at a URL. Use NewKeys to create
// it. It is safe for concurrent use.
type Keys struct {
	client  *client
	sets    *lru.Cache // of *keySet by URL
	flights singleflight.Group
}

// NewKeys returns Keys with an empty cache.
func NewKeys(opts Options) *Keys {
	return &Keys{client: newClient(opts), sets: lru.New(MaxKeySets)}
}

// Check is the function Check with the keys at a URL, which must be https. Terms.Keys is
// ignored. For a credential whose key is not in the set, it requests the set again, at most
// once a minute for each URL.
//
// In addition to the errors of the function, it waits with LicenseKeysUnavailable if there
// are no keys or if they may be outdated. An invalid URL is stalled with this reason.
func (k *Keys) Check(ctx context.Context, credential string, terms Terms, url string) (Claims, error) {
	began := time.Now()
	set, err := k.keySetFor(ctx, url)
	if err != nil {
		return Claims{}, err
	}
	claims, err := set.checkCredential(credential, terms)
	if !errors.Is(err, ErrUnknownKey) || set.confirmedSince(began) {
		return claims, err
	}
	if early := minRenewInterval - time.Since(set.requestedAt); early > 0 {
		return Claims{}, keysUnavailableError(early, terms.Issuer, ErrUnknownKey)
	}
	if set, err = k.renewKeySet(ctx, url, set); err != nil {
		return Claims{}, err
	}
	claims, err = set.checkCredential(credential, terms)
	if errors.Is(err, ErrUnknownKey) && !set.confirmedSince(began) {
		return Claims{}, keysUnavailableError(minRenewInterval, terms.Issuer, ErrUnknownKey)
	}
	return claims, err
}

// Get returns the key set at a URL, which must be https. It is cached as long as its
// Cache-Control allows, between a minute and a day. A failed request is repeated after 15
// seconds, and the cached keys are valid until they are a day old. Its errors are the same as for
// Check.
func (k *Keys) Get(ctx context.Context, url string) ([]byte, error) {
	set, err := k.keySetFor(ctx, url)
	if err != nil {
		return nil, err
	}
	return set.text, nil
}

func (k *Keys) keySetFor(ctx context.Context, url string) (*keySet, error) {
	set := k.cachedKeySet(url)
	if set == nil || !time.Now().Before(set.refreshAt) {
		return k.renewKeySet(ctx, url, set)
	}
	return set.validKeys()
}

func (k *Keys) cachedKeySet(url string) *keySet {
	if found, ok := k.sets.Get(url); ok {
		return found.(*keySet)
	}
	return nil
}

// renewKeySet requests a new set to replace old, unless this has just been done. Concurrent
// calls share one request, which continues when the context of the first caller is done.
func (k *Keys) renewKeySet(ctx context.Context, url string, old *keySet) (*keySet, error) {
	target, err := k.client.parseURL(url)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonLicenseKeysUnavailable, fmt.Errorf("get keys of issuer: %w", err))
	}
	detached := context.WithoutCancel(ctx)
	flight := k.flights.DoChan(url, func() (any, error) {
		if known := k.cachedKeySet(url); known != nil && known != old {
			return known, nil
		}
		set := k.requestKeySet(detached, target, old)
		k.sets.Add(url, set)
		return set, nil
	})
	select {
	case landed := <-flight:
		return landed.Val.(*keySet).validKeys()
	case <-ctx.Done():
		return nil, fmt.Errorf("get keys of issuer: %w", ctx.Err())
	}
}

// requestKeySet returns the set after one request, which may have failed.
func (k *Keys) requestKeySet(ctx context.Context, target *url.URL, old *keySet) *keySet {
	set := &keySet{host: target.Hostname()}
	if old != nil {
		*set = *old
	}
	set.requestedAt = time.Now()
	set.err = outcome.Guarded(func() error { return k.fetchKeySet(ctx, target, set) })()
	if set.err != nil {
		set.refreshAt = time.Now().Add(retryInterval)
	}
	return set
}

// fetchKeySet updates the set, or returns an error and leaves it unchanged.
func (k *Keys) fetchKeySet(ctx context.Context, target *url.URL, set *keySet) error {
	header := http.Header{"Accept": {"application/jwk-set+json, application/json"}}
	if set.etag != "" {
		header.Set("If-None-Match", set.etag)
	}
	got, err := k.client.sendRequest(ctx, boundedRequest{
		method: http.MethodGet, url: target, header: header, within: keySetTimeout, limit: MaxKeySetBytes,
	})
	switch {
	case err != nil:
		return err
	case got.status == http.StatusNotModified && set.etag != "":
	case got.status != http.StatusOK:
		return fmt.Errorf("unexpected HTTP status %d", got.status)
	default:
		if _, err := readKeys(got.body); err != nil {
			return fmt.Errorf("invalid key set: %w", err)
		}
		set.text, set.etag = got.body, entityTag(got.header)
	}
	set.confirmedAt = set.requestedAt
	set.refreshAt = set.requestedAt.Add(cacheLifetime(got.header))
	return nil
}
