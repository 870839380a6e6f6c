package app

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/registry"
)

// newImageAnalysis returns the step that inspects images, with two caches: details from a
// private registry of a market are not returned to others.
func newImageAnalysis(o *options) (hydrate.Step, error) {
	step := imageAnalysis{markets: o.marketNamespaces()}
	for to, private := range map[*hydrate.ImageAnalysis]bool{&step.inMarket: true, &step.others: false} {
		client, err := registry.New(registry.Options{
			Mirrors: o.mirrors, PlainHTTP: o.plainHTTP, UserAgent: userAgent(),
			Network: netguard.Policy{Loopback: o.allowLoopback, Private: private},
		})
		if err != nil {
			return nil, fmt.Errorf("configure image registries: %w", err)
		}
		to.Inspector = registry.Cached(
			registry.Limited(registry.Guarded(client, registryPause), maxInspectionsPerRegistry), imageCacheTTL, imageCacheSize)
	}
	return step, nil
}

// imageAnalysis is the step for the apps of markets and of other namespaces.
type imageAnalysis struct {
	markets          market.Namespaces
	inMarket, others hydrate.ImageAnalysis
}

// Name returns the name of the step.
func (s imageAnalysis) Name() hydrate.Name { return s.others.Name() }

// Apply runs the step with the permissions of the app's source.
func (s imageAnalysis) Apply(ctx context.Context, d *hydrate.Draft) error {
	if s.markets.Has(d.Request.Owner.Namespace) {
		return s.inMarket.Apply(ctx, d)
	}
	return s.others.Apply(ctx, d)
}
