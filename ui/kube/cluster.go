package kube

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apimachinery/pkg/util/sets"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/kinds"
)

const (
	// allowedAge and refusedAge are the times for which reviews of rights are cached.
	allowedAge, refusedAge = 30 * time.Second, 5 * time.Second
	// requestTimeout bounds each request to the API server, watches excepted.
	requestTimeout = 15 * time.Second
)

// Cluster is the cluster that the pages show.
type Cluster struct {
	// account is the configuration of the process, with its credential.
	account *rest.Config
	scheme  *runtime.Scheme
	mapper  meta.RESTMapper
	lists   cache.Cache
	reviews *access.SelfReviewer
	// users contains the users of recent requests by the digests of their credentials.
	users *utilcache.LRUExpireCache
	// refused contains the namespaces in which users do not have a right.
	refused *fetchCache[sets.Set[string]]

	apps       *appIndex
	namespaces namespaceList
	notify     func(Change)
}

// Change is a change of an object in the shared cache.
type Change struct {
	// Resource is the resource of the object, such as appinfos.
	Resource        string
	Namespace, Name string
}

// New returns the cluster of a configuration. The account of the configuration must be able to
// get, list and watch the kinds of AppMarket and to list Namespaces. notify is called after each
// change of the cache and must not block.
func New(account *rest.Config, notify func(Change)) (*Cluster, error) {
	account = rest.CopyConfig(account)
	account.QPS = -1
	c := &Cluster{
		account: account, scheme: runtime.NewScheme(), notify: notify,
		reviews: access.NewSelfReviewer(allowedAge, refusedAge), apps: newAppIndex(),
		users: utilcache.NewLRUExpireCache(maxUsers), refused: newFetchCache[sets.Set[string]](maxScopes),
	}
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(c.scheme); err != nil {
			return nil, err
		}
	}
	mapper, err := kinds.New(account)
	if err != nil {
		return nil, fmt.Errorf("discover kinds: %w", err)
	}
	c.mapper = mapper
	web, err := rest.HTTPClientFor(account)
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	if c.lists, err = cache.New(account, cache.Options{
		HTTPClient: web, Scheme: c.scheme, Mapper: mapper, ReaderFailOnMissingInformer: true, DefaultTransform: trimObject,
	}); err != nil {
		return nil, fmt.Errorf("create cache: %w", err)
	}
	reader, err := client.New(account, client.Options{HTTPClient: web, Scheme: c.scheme, Mapper: mapper})
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	c.namespaces = namespaceList{reader: reader, known: newFetchCache[[]string](1)}
	return c, nil
}

// Start fills the cache and keeps it current until the context is done.
func (c *Cluster) Start(ctx context.Context) error {
	if err := c.watchKinds(ctx); err != nil {
		return err
	}
	return c.lists.Start(ctx)
}

// WaitForSync waits until the cache contains all objects. It returns false if the context is done
// before.
func (c *Cluster) WaitForSync(ctx context.Context) bool { return c.lists.WaitForCacheSync(ctx) }
