package app

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/registry"
)

// imageInspectors inspects the images of sources, with two caches: details from a private
// registry of a market are not returned to others.
type imageInspectors struct {
	options          *options
	inMarket, others hydrate.Inspector
}

func newImageInspectors(o *options) (*imageInspectors, error) {
	all := &imageInspectors{options: o}
	for to, private := range map[*hydrate.Inspector]bool{&all.inMarket: true, &all.others: false} {
		client, err := registry.New(registry.Options{
			Mirrors: o.mirrors, PlainHTTP: o.plainHTTP, UserAgent: userAgent(),
			Network: netguard.Policy{Loopback: o.allowLoopback, Private: private},
		})
		if err != nil {
			return nil, fmt.Errorf("configure image registries: %w", err)
		}
		*to = registry.Cached(
			registry.Limited(registry.Guarded(client, registryPause), maxInspectionsPerRegistry), imageCacheTTL, imageCacheSize)
	}
	return all, nil
}

// inspectorFor returns the inspector with the permissions of a source.
func (i *imageInspectors) inspectorFor(_ context.Context, source *v1alpha1.MarketSource) hydrate.Inspector {
	if i.options.marketNamespaces().Has(source.Namespace) {
		return i.inMarket
	}
	return i.others
}
