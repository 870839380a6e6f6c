package source

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// fileScheme is the beginning of the URLs of dependencies in the source of an app.
const fileScheme = "file://"

// dependencySource is a Source that also fetches the charts that its charts depend on. The rules
// for addresses, sizes and times of the source apply to their repositories.
type dependencySource struct {
	Source
	config Config
}

var _ hydrate.DependencyFetcher = (*dependencySource)(nil)

// offerFinder finds the charts of dependencies in one repository. It returns one offer for each
// dependency.
type offerFinder interface {
	hydrate.Fetcher
	findOffers(ctx context.Context, wanted []chart.Dependency) ([]hydrate.Offer, error)
}

// FetchDependencies implements hydrate.DependencyFetcher. It reads the index of each repository
// once.
func (s *dependencySource) FetchDependencies(ctx context.Context, wanted []chart.Dependency, maxBytes int) ([]chart.FetchedDependency, error) {
	var fetched []chart.FetchedDependency
	for len(wanted) > 0 {
		repository := wanted[0].Repository
		isElsewhere := func(d chart.Dependency) bool { return d.Repository != repository }
		same := slices.DeleteFunc(slices.Clone(wanted), isElsewhere)
		wanted = slices.DeleteFunc(slices.Clone(wanted), func(d chart.Dependency) bool { return !isElsewhere(d) })
		got, err := s.fetchFromRepository(ctx, repository, same, maxBytes)
		if err != nil {
			return nil, err
		}
		for _, each := range got {
			maxBytes -= each.Size()
		}
		fetched = append(fetched, got...)
	}
	return fetched, nil
}

// fetchFromRepository fetches dependencies of one repository.
func (s *dependencySource) fetchFromRepository(
	ctx context.Context, repository string, wanted []chart.Dependency, maxBytes int,
) ([]chart.FetchedDependency, error) {
	finder, err := s.openRepository(repository)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", wanted[0], err)
	}
	offers, err := finder.findOffers(ctx, wanted)
	if err != nil {
		return nil, err
	}
	fetched := make([]chart.FetchedDependency, len(wanted))
	for i, offer := range offers {
		content, err := finder.Fetch(ctx, offer)
		if err == nil {
			err = checkDigest(content, offer)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", wanted[i], err)
		}
		fetched[i] = chart.FetchedDependency{For: wanted[i], Archive: content.Archive, Files: content.Files}
		if _, isOwn := finder.(ownCharts); isOwn {
			fetched[i].Base = offer.URL
		}
		if maxBytes -= fetched[i].Size(); maxBytes < 0 {
			return nil, fmt.Errorf("%s: %w", wanted[i], limitError("the dependencies are larger than %d bytes in total", chart.MaxArchiveBytes))
		}
	}
	return fetched, nil
}

// checkDigest returns an error if a chart does not have the digest of its offer. The error does not
// contain the digest of the chart, because it can be the response of another server.
func checkDigest(content hydrate.ChartContent, offer hydrate.Offer) error {
	digest := chart.Digest(content.Archive)
	if content.Archive == nil {
		digest = chart.TreeDigest(content.Files)
	}
	if offer.Digest == "" || offer.Digest == digest {
		return nil
	}
	return outcome.Stalled(v1alpha1.ReasonDigestMismatch, fmt.Errorf("digest mismatch: the chart does not have digest %s of the index of its repository", offer.Digest))
}

// openRepository opens the repository of a dependency. The credentials of the source are used only
// for the origin of the source.
func (s *dependencySource) openRepository(repository string) (offerFinder, error) {
	own := repository == "" || repository == s.config.PublishedURL
	if published, ok := s.config.findMarketRepository(repository); ok && !own {
		return published, nil
	}
	switch cfg := s.config; {
	case strings.HasPrefix(repository, fileScheme):
		if cfg.Helm != nil || cfg.OCI != nil {
			return nil, outcome.Stalled(v1alpha1.ReasonNotAllowed, fmt.Errorf(
				"repository %q is outside of the chart: use the URL of a repository, or add the chart to the folder charts", repository))
		}
		return ownCharts{s.Source, s.config}, nil
	case own && cfg.Helm != nil:
		return newRepository(cfg, "spec.helm", listingOptions{})
	case own && cfg.OCI != nil:
		return newDependencyRegistry(cfg, cfg.OCI.URL)
	case own:
		return ownCharts{s.Source, s.config}, nil
	case strings.HasPrefix(repository, ociScheme):
		return newDependencyRegistry(cfg, repository)
	}
	return s.openHelmRepository(repository)
}

func (s *dependencySource) openHelmRepository(repository string) (offerFinder, error) {
	target, err := url.Parse(repository)
	if err != nil || target.User != nil || len(repository) > maxURL {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidChart, errors.New("the URL of the repository is invalid, or contains credentials"))
	}
	cfg, field := s.config, ""
	transport, timeout := cfg.connections()
	helm := HelmConfig{URL: repository, TransportConfig: transport.ForOtherServer(), Timeout: timeout}
	if own := cfg.Helm; own != nil {
		if home, err := url.Parse(own.URL); err == nil && sameOrigin(home, target) {
			helm.Username, helm.Password, helm.Token = own.Username, own.Password, own.Token
			helm.TransportConfig, field = own.TransportConfig, "spec.helm"
		}
	}
	cfg.Helm, cfg.OCI, cfg.Git, cfg.Olares, cfg.Artifact, cfg.Directory, cfg.Upload = &helm, nil, nil, nil, nil, nil, nil
	return newRepository(cfg, field, listingOptions{})
}

// connections returns how connections to the servers of a source are opened, and their timeout.
func (c Config) connections() (TransportConfig, time.Duration) {
	switch {
	case c.Helm != nil:
		return c.Helm.TransportConfig, c.Helm.Timeout
	case c.OCI != nil:
		return c.OCI.TransportConfig, c.OCI.Timeout
	case c.Git != nil:
		return c.Git.TransportConfig, c.Git.Timeout
	case c.Olares != nil:
		return c.Olares.TransportConfig, c.Olares.Timeout
	case c.Artifact != nil:
		return TransportConfig{}, c.Artifact.Timeout
	}
	return TransportConfig{}, 0
}

// findOffers reads the index and finds the charts of dependencies.
func (r *repository) findOffers(ctx context.Context, wanted []chart.Dependency) ([]hydrate.Offer, error) {
	found, err := newDependencyOffers(wanted, redactURL(r.baseURL))
	if err != nil {
		return nil, err
	}
	if found, err = r.readOffers(ctx, found); err != nil {
		return nil, fmt.Errorf("%s: %w", wanted[0], err)
	}
	return found.listOffers()
}

// ownCharts finds dependencies among the charts of a source that is a folder.
type ownCharts struct {
	Source
	config Config
}

// findOffers returns the charts of the source, regardless of its filter. A file URL is the path of
// a chart relative to the chart that depends on it.
func (o ownCharts) findOffers(ctx context.Context, wanted []chart.Dependency) ([]hydrate.Offer, error) {
	if strings.HasPrefix(wanted[0].Repository, fileScheme) {
		return fileOffers(wanted)
	}
	cfg := o.config
	cfg.Include, cfg.Exclude, cfg.MaxVersions = nil, nil, MaxApps
	cfg.Versions, cfg.Prereleases = "", nil
	all, err := openSource(cfg)
	if err != nil {
		return nil, err
	}
	listing, err := all.List(ctx, hydrate.Cursor{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", wanted[0], err)
	}
	found, err := newDependencyOffers(wanted, "the source")
	if err != nil {
		return nil, err
	}
	for _, app := range listing.Apps {
		for _, offer := range app.Offers {
			version, err := parseVersion(offer.Version)
			if err != nil {
				return nil, err
			}
			found.addOffer(app.Name, rankedOffer{version: version, offer: offer})
		}
	}
	return found.listOffers()
}

// fileOffers returns the offers of dependencies with file URLs. The worker checks their versions.
func fileOffers(wanted []chart.Dependency) ([]hydrate.Offer, error) {
	offers := make([]hydrate.Offer, len(wanted))
	for i, each := range wanted {
		location := path.Join(each.Base, strings.TrimPrefix(each.Repository, fileScheme))
		if !filepath.IsLocal(location) || location == "." {
			return nil, outcome.Stalled(v1alpha1.ReasonNotAllowed, fmt.Errorf("%s: repository %q is outside of the source", each, each.Repository))
		}
		offers[i] = hydrate.Offer{URL: location, Version: each.Version}
	}
	return offers, nil
}
