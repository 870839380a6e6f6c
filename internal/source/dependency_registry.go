package source

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/index"
)

// dependencyRegistry finds dependencies in an OCI registry: the repository of a chart has the name
// of the chart below the URL.
type dependencyRegistry struct {
	client *registryClient
	base   string
	// only is the only chart, if the URL is the repository of a chart.
	only     string
	insecure bool
}

// newDependencyRegistry opens the registry of a URL. The credentials of the source are used only for
// the registry of the source.
func newDependencyRegistry(cfg Config, location string) (*dependencyRegistry, error) {
	d := &dependencyRegistry{base: strings.TrimSuffix(strings.TrimPrefix(location, ociScheme), "/")}
	transport, timeout := cfg.connections()
	access := registryAccess{network: cfg.Network, userAgent: cfg.UserAgent, transport: transport.ForOtherServer(), timeout: timeout}
	host, _, _ := strings.Cut(d.base, "/")
	if own := cfg.OCI; own != nil {
		ownHost, _, _ := strings.Cut(strings.TrimPrefix(own.URL, ociScheme), "/")
		if host == ownHost {
			access.field, access.username, access.password, access.insecure = "spec.oci", own.Username, own.Password, own.Insecure
			access.transport = own.TransportConfig
		}
		if location == own.URL && len(own.Charts) == 0 && !own.AllCharts {
			d.base, d.only = splitRepository(d.base)
		}
	}
	d.insecure = access.insecure
	registry, err := name.NewRegistry(host, name.StrictValidation)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidChart, errors.New("the repository is not the URL of a registry, such as oci://registry.example/charts"))
	}
	d.client, err = newRegistryClient(access, registry)
	return d, err
}

// splitRepository splits a repository into the path of its folder and its name.
func splitRepository(repository string) (folder, chart string) {
	at := strings.LastIndex(repository, "/")
	return repository[:max(at, 0)], repository[at+1:]
}

// findOffers finds the newest tag in the range of each dependency.
func (d *dependencyRegistry) findOffers(ctx context.Context, wanted []chart.Dependency) ([]hydrate.Offer, error) {
	offers := make([]hydrate.Offer, len(wanted))
	for i, each := range wanted {
		offer, err := d.findOffer(ctx, each)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each, err)
		}
		offers[i] = offer
	}
	return offers, nil
}

func (d *dependencyRegistry) findOffer(ctx context.Context, wanted chart.Dependency) (hydrate.Offer, error) {
	repository, err := parseRepository(d.base+"/"+wanted.Name, d.insecure)
	if err != nil || d.only != "" && d.only != wanted.Name {
		return hydrate.Offer{}, outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("%s%s has no chart with this name", ociScheme, d.base))
	}
	versions := []string{wanted.Version}
	if _, err := parseStrictVersion(wanted.Version); err != nil {
		tags, err := d.client.listTags(ctx, repository)
		if err != nil {
			return hydrate.Offer{}, err
		}
		versions = versions[:0]
		for _, tag := range tags {
			versions = append(versions, strings.ReplaceAll(tag, "_", "+"))
		}
	}
	selected, err := newDependencyOffers([]chart.Dependency{wanted}, urlOf(repository))
	if err != nil {
		return hydrate.Offer{}, err
	}
	for _, version := range versions {
		if parsed, err := parseVersion(version); err == nil {
			selected.addOffer(wanted.Name, rankedOffer{version: parsed, offer: hydrate.Offer{Version: version}})
		}
	}
	if selected.found[0] == nil {
		return hydrate.Offer{}, outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("%s has no tag in this range of versions", urlOf(repository)))
	}
	version := selected.found[0].offer.Version
	entry, err := d.client.readTag(ctx, repository.Tag(versionTag(version)))
	if err != nil {
		return hydrate.Offer{}, err
	}
	return offerOf(entry)
}

// offerOf returns the offer of an entry.
func offerOf(entry index.Entry) (hydrate.Offer, error) {
	ranked, err := newRankedOffer(entry)
	if err != nil {
		return hydrate.Offer{}, outcome.Stalled(v1alpha1.ReasonInvalidChart, err)
	}
	return ranked.offer, nil
}

// Fetch fetches the archive of an offer by its digest.
func (d *dependencyRegistry) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	tag, err := name.NewTag(strings.TrimPrefix(offer.URL, ociScheme), name.StrictValidation)
	if err != nil {
		return hydrate.ChartContent{}, fmt.Errorf("parse %q: %w", offer.URL, err)
	}
	repository, err := parseRepository(tag.Context().Name(), d.insecure)
	if err != nil {
		return hydrate.ChartContent{}, err
	}
	archive, err := d.client.readArchive(ctx, repository.Digest(offer.Digest))
	return hydrate.ChartContent{Archive: archive}, err
}
