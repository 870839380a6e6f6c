package app

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/registry"
)

const (
	// maxAuthenticated is the number of inspectors with credentials that are kept.
	maxAuthenticated = 100
	// authenticatedCacheSize is the number of results that each of them caches.
	authenticatedCacheSize = 500
)

// imageInspectors inspects the images of sources. Details from a private registry of a market are
// not returned to others, and details that were read with credentials are returned only to
// sources of the namespace that has these credentials: each has a cache of its own.
type imageInspectors struct {
	options *options
	// secrets reads the Secrets with credentials, without a cache.
	secrets          client.Reader
	inMarket, others hydrate.Inspector

	// mu serializes the creation of inspectors.
	mu            sync.Mutex
	authenticated *lru.Cache
}

// credentialsKey identifies an inspector with credentials.
type credentialsKey struct{ namespace, config string }

func newImageInspectors(o *options, secrets client.Reader) (*imageInspectors, error) {
	all := &imageInspectors{options: o, secrets: secrets, authenticated: lru.New(maxAuthenticated)}
	var err error
	if all.inMarket, err = all.newInspector(true, nil, imageCacheSize); err != nil {
		return nil, err
	}
	all.others, err = all.newInspector(false, nil, imageCacheSize)
	return all, err
}

// newInspector returns an inspector with a docker config. private allows private addresses.
func (i *imageInspectors) newInspector(private bool, config []byte, cacheSize int) (hydrate.Inspector, error) {
	client, err := registry.New(registry.Options{
		Mirrors: i.options.mirrors, PlainHTTP: i.options.plainHTTP, UserAgent: userAgent(), DockerConfig: config,
		Network: netguard.Policy{Loopback: i.options.allowLoopback, Private: private},
	})
	if err != nil {
		return nil, fmt.Errorf("configure image registries: %w", err)
	}
	return registry.Cached(
		registry.Limited(registry.Guarded(client, registryPause), maxInspectionsPerRegistry), imageCacheTTL, cacheSize), nil
}

// inspectorFor returns the inspector with the permissions and the credentials of a source. If the
// credentials cannot be read, the inspector reports that for each image, because a registry that
// cannot be accessed is not a failure of an app.
func (i *imageInspectors) inspectorFor(ctx context.Context, source *v1alpha1.MarketSource) hydrate.Inspector {
	private := i.options.marketNamespaces().Has(source.Namespace)
	if ref := source.Spec.RegistrySecretRef; ref != nil {
		inspector, err := i.authenticatedInspector(ctx, types.NamespacedName{Namespace: source.Namespace, Name: ref.Name}, private)
		if err != nil {
			return failingInspector{err}
		}
		return inspector
	}
	if private {
		return i.inMarket
	}
	return i.others
}

func (i *imageInspectors) authenticatedInspector(ctx context.Context, secret types.NamespacedName, private bool) (hydrate.Inspector, error) {
	config, err := registry.ReadCredentials(ctx, i.secrets, secret)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	key := credentialsKey{namespace: secret.Namespace, config: string(config)}
	if known, ok := i.authenticated.Get(key); ok {
		return known.(hydrate.Inspector), nil
	}
	made, err := i.newInspector(private, config, authenticatedCacheSize)
	if err != nil {
		return nil, err
	}
	i.authenticated.Add(key, made)
	return made, nil
}

// failingInspector returns an error for each image.
type failingInspector struct{ err error }

// Inspect returns the error.
func (f failingInspector) Inspect(context.Context, string) (images.Detail, error) {
	return images.Detail{}, f.err
}
