// Package kinds knows the kinds of objects that the cluster serves.
//
// The mapper of controller-runtime learns of new kinds, but never forgets one. Kinds
// come and go with CRDs and with versions of Kubernetes: an operation must know before
// it changes anything whether the kinds of its objects are there. Kinds asks the API
// server with the ETags of its last answers whether anything has changed, which costs
// two small requests, and reads the discovery documents again only if so.
package kinds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
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
	// requestTimeout bounds a request for which the caller has no context.
	requestTimeout = 30 * time.Second
	// noMatchInterval is how long an answer counts for kinds that are not in it. A
	// manifest can name a thousand of them.
	noMatchInterval = 100 * time.Millisecond
	// tagless is how long the answer of an API server without ETags counts.
	maxAgeWithoutTags = 30 * time.Second
)

// paths are the roots of the discovery documents.
var discoveryPaths = []string{"/api", "/apis"}

// Kinds is a RESTMapper of the kinds that the cluster serves. Its methods may be
// called at the same time.
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

// served are the kinds of one answer.
type servedKinds struct {
	meta.RESTMapper
	resources []*metav1.APIResourceList
	groups    []*metav1.APIGroup
	// failed are the groups whose kinds are unknown, since their own API server does
	// not answer.
	failed map[schema.GroupVersion]error
}

var _ meta.ResettableRESTMapper = (*Kinds)(nil)

// New returns the Kinds of the cluster that cfg reaches. It makes no request.
func New(cfg *rest.Config) (*Kinds, error) {
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	host, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("read address of the cluster: %w", err)
	}
	asked, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, client)
	if err != nil {
		return nil, fmt.Errorf("make discovery client: %w", err)
	}
	return &Kinds{client: client, host: strings.TrimSuffix(host.String(), "/"), discovery: asked, tags: map[string]string{}}, nil
}

// Refresh has later lookups answer for what the cluster serves now, or served no
// longer ago than maxAge.
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

// isFresh reports whether the cluster was asked within maxAge.
func (k *Kinds) isFresh(maxAge time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cached != nil && !k.stale && time.Since(k.checkedAt) < maxAge
}

// hasChanged reports whether the tags are those of other kinds than are known. Where
// the API server gives no tags, which are as old as Kubernetes 1.30, only time tells.
func (k *Kinds) hasChanged(tags map[string]string) bool {
	for _, path := range discoveryPaths {
		if tags[path] == "" {
			return k.stale || time.Since(k.loadedAt) > maxAgeWithoutTags
		}
	}
	return !maps.Equal(tags, k.tags)
}

// Reset has the next lookup refresh first.
func (k *Kinds) Reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stale = true
}

// check asks for the tags of the discovery documents. A document that has not changed
// is not sent.
func (k *Kinds) fetchTags(ctx context.Context) (map[string]string, error) {
	k.mu.Lock()
	before := maps.Clone(k.tags)
	k.mu.Unlock()
	tags := map[string]string{}
	for _, path := range discoveryPaths {
		tag, err := k.fetchTag(ctx, path, before[path])
		if err != nil {
			return nil, fmt.Errorf("ask for kinds of the cluster: %w", err)
		}
		tags[path] = tag
	}
	return tags, nil
}

// tagOf returns the tag of a document, empty if it has none.
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

// load reads the discovery documents.
func (k *Kinds) loadDiscovery() (*servedKinds, error) {
	groups, resources, err := k.discovery.ServerGroupsAndResources()
	known := &servedKinds{groups: groups, resources: resources, failed: map[schema.GroupVersion]error{}}
	if failed, ok := errors.AsType[*discovery.ErrGroupDiscoveryFailed](err); ok {
		known.failed, err = failed.Groups, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get kinds of the cluster: %w", err)
	}
	all, err := restmapper.GetAPIGroupResources(fixedDiscovery{k.discovery, known})
	if err != nil {
		return nil, fmt.Errorf("get kinds of the cluster: %w", err)
	}
	known.RESTMapper = restmapper.NewDiscoveryRESTMapper(all)
	return known, nil
}

// Discovery returns a discovery client that answers with what is known. The version
// of the cluster is asked for.
func (k *Kinds) Discovery(ctx context.Context) (discovery.CachedDiscoveryInterface, error) {
	known, err := k.currentKinds(ctx)
	if err != nil {
		return nil, err
	}
	return cachedDiscovery{fixedDiscovery{k.discovery, known}}, nil
}

// answer is a discovery client that gives the same answer again.
type fixedDiscovery struct {
	discovery.DiscoveryInterface
	known *servedKinds
}

// ServerGroupsAndResources returns what is known.
func (a fixedDiscovery) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	return a.known.groups, a.known.resources, nil
}

// cached says that an answer is what others would keep.
type cachedDiscovery struct{ fixedDiscovery }

// Fresh reports that the answer is current.
func (cachedDiscovery) Fresh() bool { return true }

// Invalidate does nothing: a new client gives a new answer.
func (cachedDiscovery) Invalidate() {}

// current returns what is known, asked for if it is not.
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

// lookup calls find with what is known, and again with what is new where there is no
// match.
func findOrRefresh[T any](k *Kinds, find func(*servedKinds) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	var none T
	known, err := k.currentKinds(ctx)
	if err != nil {
		return none, err
	}
	found, err := find(known)
	if !meta.IsNoMatchError(err) || k.isFresh(noMatchInterval) {
		return found, err
	}
	k.Reset()
	if known, err = k.currentKinds(ctx); err != nil {
		return none, err
	}
	return find(known)
}

// RESTMapping returns how a kind is served. A kind of a group whose own API server
// does not answer is no missing kind.
func (k *Kinds) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	return findOrRefresh(k, func(known *servedKinds) (*meta.RESTMapping, error) {
		found, err := known.RESTMapper.RESTMapping(kind, versions...)
		return found, known.discoveryError(kind.Group, err)
	})
}

// RESTMappings returns all versions in which a kind is served.
func (k *Kinds) RESTMappings(kind schema.GroupKind, versions ...string) ([]*meta.RESTMapping, error) {
	return findOrRefresh(k, func(known *servedKinds) ([]*meta.RESTMapping, error) {
		found, err := known.RESTMapper.RESTMappings(kind, versions...)
		return found, known.discoveryError(kind.Group, err)
	})
}

// explain returns the error of a kind that cannot be found.
func (s *servedKinds) discoveryError(group string, err error) error {
	if !meta.IsNoMatchError(err) {
		return err
	}
	for version, failed := range s.failed {
		if version.Group == group {
			return fmt.Errorf("the API server of %s does not answer: %w", version, failed)
		}
	}
	return err
}

// KindFor returns the kind of a resource.
func (k *Kinds) KindFor(resource schema.GroupVersionResource) (schema.GroupVersionKind, error) {
	return findOrRefresh(k, func(known *servedKinds) (schema.GroupVersionKind, error) { return known.KindFor(resource) })
}

// KindsFor returns the kinds of a resource.
func (k *Kinds) KindsFor(resource schema.GroupVersionResource) ([]schema.GroupVersionKind, error) {
	return findOrRefresh(k, func(known *servedKinds) ([]schema.GroupVersionKind, error) { return known.KindsFor(resource) })
}

// ResourceFor returns the full name of a resource.
func (k *Kinds) ResourceFor(resource schema.GroupVersionResource) (schema.GroupVersionResource, error) {
	return findOrRefresh(k, func(known *servedKinds) (schema.GroupVersionResource, error) { return known.ResourceFor(resource) })
}

// ResourcesFor returns the full names of a resource.
func (k *Kinds) ResourcesFor(resource schema.GroupVersionResource) ([]schema.GroupVersionResource, error) {
	return findOrRefresh(k, func(known *servedKinds) ([]schema.GroupVersionResource, error) { return known.ResourcesFor(resource) })
}

// ResourceSingularizer returns the singular of a resource.
func (k *Kinds) ResourceSingularizer(resource string) (string, error) {
	return findOrRefresh(k, func(known *servedKinds) (string, error) { return known.RESTMapper.ResourceSingularizer(resource) })
}
