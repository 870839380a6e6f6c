package app

import (
	"context"
	"errors"
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
	"github.com/appmarket/operator/internal/source"
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

// credentialsKey identifies an inspector with credentials. The fields config and transport are the
// docker config, and the digest of the certificates and of the proxy.
type credentialsKey struct{ namespace, config, transport string }

func newImageInspectors(o *options, secrets client.Reader) (*imageInspectors, error) {
	all := &imageInspectors{options: o, secrets: secrets, authenticated: lru.New(maxAuthenticated)}
	var err error
	if all.inMarket, err = all.newInspector(true, registry.Options{}, imageCacheSize); err != nil {
		return nil, err
	}
	all.others, err = all.newInspector(false, registry.Options{}, imageCacheSize)
	return all, err
}

// newInspector returns an inspector with the credentials in the options. private allows private
// addresses.
func (i *imageInspectors) newInspector(private bool, options registry.Options, cacheSize int) (hydrate.Inspector, error) {
	options.Mirrors, options.PlainHTTP, options.UserAgent = i.options.mirrors, i.options.plainHTTP, userAgent()
	options.Network = netguard.Policy{Loopback: i.options.allowLoopback, Private: private}
	client, err := registry.New(options)
	if err != nil {
		return nil, fmt.Errorf("configure image registries: %w", err)
	}
	return registry.Cached(
		registry.Limited(registry.Guarded(client, registryPause), maxInspectionsPerRegistry), imageCacheTTL, cacheSize), nil
}

// inspectorFor returns the inspector with the permissions, the credentials, the certificates and the
// proxy of a source. If they cannot be read, the inspector reports that for each image, because a
// registry that cannot be accessed is not a failure of an app.
func (i *imageInspectors) inspectorFor(ctx context.Context, from *v1alpha1.MarketSource) hydrate.Inspector {
	private := i.options.marketNamespaces().Has(from.Namespace)
	transport, err := source.ReadTransport(ctx, i.secrets, from)
	if err != nil {
		return failingInspector{err.Error()}
	}
	if from.Spec.RegistrySecretRef != nil || !transport.IsEmpty() {
		inspector, err := i.authenticatedInspector(ctx, from, transport, private)
		if err != nil {
			return failingInspector{err.Error()}
		}
		return inspector
	}
	if private {
		return i.inMarket
	}
	return i.others
}

func (i *imageInspectors) authenticatedInspector(
	ctx context.Context, from *v1alpha1.MarketSource, transport source.TransportConfig, private bool,
) (hydrate.Inspector, error) {
	var config []byte
	if ref := from.Spec.RegistrySecretRef; ref != nil {
		var err error
		if config, err = registry.ReadCredentials(ctx, i.secrets, types.NamespacedName{Namespace: from.Namespace, Name: ref.Name}); err != nil {
			return nil, err
		}
	}
	server, err := source.ServerOf(&from.Spec)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	key := credentialsKey{namespace: from.Namespace, config: string(config), transport: transport.Digest(server)}
	if known, ok := i.authenticated.Get(key); ok {
		return known.(hydrate.Inspector), nil
	}
	var options netguard.TransportOptions
	if err := transport.Apply(&options, server); err != nil {
		return nil, err
	}
	made, err := i.newInspector(private, registry.Options{
		DockerConfig: config, Roots: options.Roots, Certificate: options.Certificate, Proxy: options.Proxy,
	}, authenticatedCacheSize)
	if err != nil {
		return nil, err
	}
	i.authenticated.Add(key, made)
	return made, nil
}

// failingInspector returns a problem for each image. It is not the error with its outcome, because a
// stalled error would be a failure of the app.
type failingInspector struct{ problem string }

// Inspect returns the problem.
func (f failingInspector) Inspect(context.Context, string) (images.Detail, error) {
	return images.Detail{}, errors.New(f.problem)
}
