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
	// MaxKeySets bounds the key sets that are kept; the one that was used longest
	// ago goes first.
	MaxKeySets = 100
	// MaxKeySetAge is for how long keys are good without a word of their issuer.
	MaxKeySetAge = 24 * time.Hour

	keySetTimeout = 10 * time.Second
	// An issuer who does not say how long a set is good is asked again after
	// keySetLifetime. What is said counts within these bounds.
	keySetLifetime    = 10 * time.Minute
	minKeySetLifetime = time.Minute
	// renewPause is how often a set is asked for because of a key that is not in it.
	minRenewInterval = time.Minute
	// retryPause is how soon an issuer who did not answer is asked again.
	retryInterval = 15 * time.Second
)

// Keys brings the key sets that issuers publish at a URL, and keeps them. It is
// made by NewKeys and safe for use by many at a time.
type Keys struct {
	client  *client
	sets    *lru.Cache // of *keySet by URL
	flights singleflight.Group
}

// NewKeys returns Keys that know nothing yet.
func NewKeys(opts Options) *Keys {
	return &Keys{client: newClient(opts), sets: lru.New(MaxKeySets)}
}

// Check is the function of that name with the keys at a URL, which must be https.
// Terms.Keys is not used. A credential whose key is not in the set makes it ask
// the issuer again, at most once a minute for each URL.
//
// Beyond the errors of Check it waits with LicenseKeysUnavailable where there are
// no keys, or none that are known to be the present ones. A URL that cannot be
// used is stalled with that reason.
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

// Get is the key set at a URL, which must be https: the one that is kept for as
// long as its Cache-Control allows, between a minute and a day, else a new one.
// An issuer who does not answer is asked again after 15 seconds, and the keys
// that are kept are good until they are a day old. The errors are as of Check.
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

// renew asks for a set in place of the one given, unless somebody else has just
// done so. The one question goes on for those who come next when the caller who
// started it gives up.
func (k *Keys) renewKeySet(ctx context.Context, url string, old *keySet) (*keySet, error) {
	target, err := k.client.parseURL(url)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonLicenseKeysUnavailable, fmt.Errorf("get keys of issuer: %w", err))
	}
	asking := context.WithoutCancel(ctx)
	flight := k.flights.DoChan(url, func() (any, error) {
		if known := k.cachedKeySet(url); known != nil && known != old {
			return known, nil
		}
		set := k.requestKeySet(asking, target, old)
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

// ask is the set after one question, whether it was answered or not.
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

// fetch brings the set up to date, or leaves it as it is and says why.
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
		return fmt.Errorf("it answered with HTTP status %d", got.status)
	default:
		if _, err := readKeys(got.body); err != nil {
			return fmt.Errorf("its answer is %w", err)
		}
		set.text, set.etag = got.body, entityTag(got.header)
	}
	set.confirmedAt = set.requestedAt
	set.refreshAt = set.requestedAt.Add(cacheLifetime(got.header))
	return nil
}
