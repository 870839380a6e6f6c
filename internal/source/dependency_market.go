package source

import (
	"context"
	"fmt"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// MarketCharts contains the published charts of other sources that the charts of a source can depend on.
type MarketCharts interface {
	// FindVersions returns the published versions of a chart in a source. An error does not reveal whether the
	// source exists.
	FindVersions(ctx context.Context, namespace, source, chart string) ([]v1alpha1.PublishedVersion, error)
	// Archive returns the published archive with a digest.
	Archive(digest string) ([]byte, error)
}

// marketRepository finds dependencies among the published charts of another source of the operator.
type marketRepository struct {
	charts            MarketCharts
	namespace, source string
}

// findMarketRepository returns the published charts with a URL, if it is the URL at which the operator publishes the charts of a
// source. The operator has no credentials for its own repository.
func (c Config) findMarketRepository(url string) (*marketRepository, bool) {
	parts := strings.Split(c.PublishedURL, "/")
	if c.Market == nil || len(parts) < 3 {
		return nil, false
	}
	path, isPublished := strings.CutPrefix(url, strings.Join(parts[:len(parts)-2], "/")+"/")
	namespace, source, isSource := strings.Cut(path, "/")
	if !isPublished || !isSource || namespace == "" || source == "" || strings.Contains(source, "/") {
		return nil, false
	}
	return &marketRepository{charts: c.Market, namespace: namespace, source: source}, true
}

// findOffers returns the published version of each dependency.
func (m *marketRepository) findOffers(ctx context.Context, wanted []chart.Dependency) ([]hydrate.Offer, error) {
	found, err := newDependencyOffers(wanted, fmt.Sprintf("source %q in namespace %q", m.source, m.namespace))
	if err != nil {
		return nil, err
	}
	for i, each := range wanted {
		versions, err := m.charts.FindVersions(ctx, m.namespace, m.source, each.Name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each, err)
		}
		for _, published := range versions {
			version, err := parseVersion(published.Version)
			if err != nil {
				return nil, err
			}
			found.addOfferOf(i, rankedOffer{version: version, offer: hydrate.Offer{Version: published.Version, Digest: published.Digest}})
		}
	}
	offers, err := found.listOffers()
	if err != nil {
		return nil, outcome.Failed(v1alpha1.ReasonNotFound, err) // The version may be published later.
	}
	return offers, nil
}

// Fetch returns the published archive of an offer.
func (m *marketRepository) Fetch(_ context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	archive, err := m.charts.Archive(offer.Digest)
	if err != nil {
		return hydrate.ChartContent{}, outcome.Failed(v1alpha1.ReasonFetchFailed, fmt.Errorf("read the published chart: %w", err))
	}
	return hydrate.ChartContent{Archive: archive}, nil
}
