// Package kinds is a RESTMapper for the kinds that the cluster currently serves.
//
// The RESTMapper of controller-runtime discovers new kinds, but does not remove any. CRDs and
// Kubernetes versions add and remove kinds, and an operation must know before its first write
// whether the kinds of its objects are served. Kinds sends two small conditional requests
// with the ETags of the last responses, and reads the discovery documents again only if they
// have changed.
package kinds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

const (
	// requestTimeout bounds a request of a caller that has no context.
	requestTimeout = 30 * time.Second
	// noMatchInterval is the minimum time between two refreshes for kinds that are not served.
	// A manifest can name a thousand of them.
	noMatchInterval = 100 * time.Millisecond
	// maxAgeWithoutTags is the time for which a response of an API server without ETags is used.
	maxAgeWithoutTags = 30 * time.Second
)

// discoveryPaths are the paths of the discovery documents.
var discoveryPaths = []string{"/api", "/apis"}

// Kinds is a RESTMapper of the kinds that the cluster serves. It is safe for concurrent use.
type Kinds struct {
	client    *http.Client
	host      string
	discovery discovery.DiscoveryInterface

	mu        sync.Mutex
	cached    *servedKinds
	tags      map[string]string
	checkedAt time.Time
	loadedAt  time.Time
	stale     bool
}

// servedKinds are the kinds of one discovery response.
type servedKinds struct {
	meta.RESTMapper
	resources []*metav1.APIResourceList
	groups    []*metav1.APIGroup
	// failed are the groups whose kinds are unknown because their own API server does not
	// respond.
	failed map[schema.GroupVersion]error
}

var _ meta.ResettableRESTMapper = (*Kinds)(nil)

// New returns the Kinds of the cluster of cfg. It makes no request.
func New(cfg *rest.Config) (*Kinds, error) {
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	host, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("parse the address of the cluster: %w", err)
	}
	discoveryClient, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, client)
	if err != nil {
		return nil, fmt.Errorf("create discovery client: %w", err)
	}
	return &Kinds{client: client, host: strings.TrimSuffix(host.String(), "/"), discovery: discoveryClient, tags: map[string]string{}}, nil
}

// Refresh updates the kinds unless they were checked within maxAge.
func (k *Kinds) Refresh(ctx context.Context, maxAge time.Duration) error {
	if k.isFresh(maxAge) {
		return nil
	}
	tags, err := k.fetchTags(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cached != nil && !k.hasChanged(tags) {
		k.checkedAt, k.stale = time.Now(), false
		return nil
	}
	known, err := k.loadDiscovery()
	if err != nil {
		return err
	}
	k.cached, k.tags = known, tags
	k.checkedAt, k.loadedAt, k.stale = time.Now(), time.Now(), false
	return nil
}

// isFresh reports whether the kinds were checked within maxAge.
func (k *Kinds) isFresh(maxAge time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cached != nil && !k.stale && time.Since(k.checkedAt) < maxAge
}

// hasChanged reports whether the tags differ from the tags of the cached kinds. API servers
// without ETags, which exist since Kubernetes 1.30, are read again after a time.
func (k *Kinds) hasChanged(tags map[string]string) bool {
	for _, path := range discoveryPaths {
		if tags[path] == "" {
			return k.stale || time.Since(k.loadedAt) > maxAgeWithoutTags
		}
	}
	return !maps.Equal(tags, k.tags)
}

// Reset causes the next lookup to refresh the kinds first.
func (k *Kinds) Reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stale = true
}

// fetchTags requests the discovery documents and returns their tags. The API server does not
// send a document that has not changed.
func (k *Kinds) fetchTags(ctx context.Context) (map[string]string, error) {
	k.mu.Lock()
	before := maps.Clone(k.tags)
	k.mu.Unlock()
	tags := map[string]string{}
	for _, path := range discoveryPaths {
		tag, err := k.fetchTag(ctx, path, before[path])
		if err != nil {
			return nil, fmt.Errorf("check the kinds of the cluster: %w", err)
		}
		tags[path] = tag
	}
	return tags, nil
}

// fetchTag returns the tag of a document, empty if it has none.
func (k *Kinds) fetchTag(ctx context.Context, path, before string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.host+path, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Accept", discovery.AcceptV2+","+discovery.AcceptV1)
	if before != "" {
		request.Header.Set("If-None-Match", before)
	}
	response, err := k.client.Do(request)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return "", err
	}
	switch response.StatusCode {
	case http.StatusNotModified:
		return before, nil
	case http.StatusOK:
		return response.Header.Get("ETag"), nil
	}
	return "", fmt.Errorf("get %s: %s", path, response.Status)
}

// loadDiscovery reads the discovery documents.
func (k *Kinds) loadDiscovery() (*servedKinds, error) {
	groups, resources, err := k.discovery.ServerGroupsAndResources()
	known := &servedKinds{groups: groups, resources: resources, failed: map[schema.GroupVersion]error{}}
	if failed, ok := errors.AsType[*discovery.ErrGroupDiscoveryFailed](err); ok {
		known.failed, err = failed.Groups, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get the kinds of the cluster: %w", err)
	}
	all, err := restmapper.GetAPIGroupResources(fixedDiscovery{k.discovery, known})
	if err != nil {
		return nil, fmt.Errorf("get the kinds of the cluster: %w", err)
	}
	known.RESTMapper = restmapper.NewDiscoveryRESTMapper(all)
	return known, nil
}

// Discovery returns a discovery client that responds with the cached kinds. It requests only
// the version of the cluster.
func (k *Kinds) Discovery(ctx context.Context) (discovery.CachedDiscoveryInterface, error) {
	known, err := k.currentKinds(ctx)
	if err != nil {
		return nil, err
	}
	return cachedDiscovery{fixedDiscovery{k.discovery, known}}, nil
}

// ListResources returns the resources of all API versions, and the versions whose kinds are unknown because
// their own API server does not respond.
func (k *Kinds) ListResources(ctx context.Context) ([]*metav1.APIResourceList, []schema.GroupVersion, error) {
	known, err := k.currentKinds(ctx)
	if err != nil {
		return nil, nil, err
	}
	return known.resources, slices.Collect(maps.Keys(known.failed)), nil
}

// fixedDiscovery is a discovery client that always returns the same kinds.
type fixedDiscovery struct {
	discovery.DiscoveryInterface
	known *servedKinds
}

// ServerGroupsAndResources returns the cached groups and resources.
func (a fixedDiscovery) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	return a.known.groups, a.known.resources, nil
}

// cachedDiscovery makes fixedDiscovery a CachedDiscoveryInterface.
type cachedDiscovery struct{ fixedDiscovery }

// Fresh reports that the kinds are current.
func (cachedDiscovery) Fresh() bool { return true }

// Invalidate does nothing, because each new client has current kinds.
func (cachedDiscovery) Invalidate() {}

// currentKinds returns the cached kinds, refreshed if necessary.
func (k *Kinds) currentKinds(ctx context.Context) (*servedKinds, error) {
	k.mu.Lock()
	known, stale := k.cached, k.stale
	k.mu.Unlock()
	if known != nil && !stale {
		return known, nil
	}
	if err := k.Refresh(ctx, 0); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cached, nil
}
