package app

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/registry"
)

// newImageAnalysis returns the step that asks registries about images, with two memories:
// what a registry inside told about an image of a market is not told to others.
func newImageAnalysis(o *options) (hydrate.Step, error) {
	step := imageAnalysis{markets: o.marketNamespaces()}
	for to, private := range map[*hydrate.ImageAnalysis]bool{&step.inMarket: true, &step.others: false} {
		client, err := registry.New(registry.Options{
			Mirrors: o.mirrors, PlainHTTP: o.plainHTTP, UserAgent: userAgent(),
			Network: netguard.Policy{Loopback: o.allowLoopback, Private: private},
		})
		if err != nil {
			return nil, fmt.Errorf("set up image registries: %w", err)
		}
		to.Inspector = registry.Cached(
			registry.Limited(registry.Guarded(client, registryPause), maxInspectionsPerRegistry), imageCacheTTL, imageCacheSize)
	}
	return step, nil
}

// imageAnalysis is the step for apps of markets and for others.
type imageAnalysis struct {
	markets          market.Namespaces
	inMarket, others hydrate.ImageAnalysis
}

// Name is that of the step.
func (s imageAnalysis) Name() hydrate.Name { return s.others.Name() }

// Apply runs the step as the source of the app may.
func (s imageAnalysis) Apply(ctx context.Context, d *hydrate.Draft) error {
	if s.markets.Has(d.Request.Owner.Namespace) {
		return s.inMarket.Apply(ctx, d)
	}
	return s.others.Apply(ctx, d)
}
