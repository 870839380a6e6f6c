package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/index"
)

// ociScheme is the beginning of the URLs of charts in registries.
const ociScheme = "oci://"

// concurrentRepositories is the number of repositories of one source that are listed at the
// same time.
const concurrentRepositories = 4

// maxListingTime is the time limit of a listing with all its requests. Manifests that were read
// within it are not read again.
const maxListingTime = 5 * time.Minute

// registrySource is a source of type OCI: repositories of a registry with one chart each.
type registrySource struct {
	listingOptions
	client *registryClient
	// key is the listingKey.
	key string
	// repositories are the repositories of the charts, without duplicates. They are not known
	// before the first listing if catalog is set.
	repositories []name.Repository
	// catalog finds the repositories. It is nil if they are specified.
	catalog *registryCatalog
}

func newRegistrySource(cfg Config, listed listingOptions) (*registrySource, error) {
	base, ok := strings.CutPrefix(strings.TrimSuffix(cfg.OCI.URL, "/"), ociScheme)
	if !ok {
		return nil, fmt.Errorf("spec.oci.url: %q does not begin with %s", cfg.OCI.URL, ociScheme)
	}
	source := &registrySource{listingOptions: listed, key: listingKey(cfg)}
	registry, err := source.addRepositories(cfg.OCI, base)
	if err != nil {
		return nil, err
	}
	source.client, err = newRegistryClient(registryAccess{
		field: "spec.oci", network: cfg.Network, userAgent: cfg.UserAgent, transport: cfg.OCI.TransportConfig, timeout: cfg.OCI.Timeout,
		username: cfg.OCI.Username, password: cfg.OCI.Password, insecure: cfg.OCI.Insecure,
	}, registry)
	return source, err
}

// addRepositories sets the repositories below a path, or the catalog that contains them, and returns their
// registry.
func (s *registrySource) addRepositories(cfg *OCIConfig, base string) (name.Registry, error) {
	if cfg.AllCharts {
		var err error
		if s.catalog, err = newRegistryCatalog(base, cfg.Insecure); err != nil {
			return name.Registry{}, fmt.Errorf("spec.oci.url: %w", err)
		}
		return s.catalog.registry, nil
	}
	paths := []string{base}
	if len(cfg.Charts) > 0 {
		paths = nil
		for i, chart := range cfg.Charts {
			if err := checkName(chart); err != nil {
				return name.Registry{}, fmt.Errorf("spec.oci.charts[%d]: %q: %w", i, chart, err)
			}
			paths = append(paths, base+"/"+chart)
		}
	}
	for _, each := range paths {
		repository, err := parseRepository(each, cfg.Insecure)
		if err != nil {
			return name.Registry{}, fmt.Errorf("spec.oci: %w", err)
		}
		s.repositories = append(s.repositories, repository)
	}
	return s.repositories[0].Registry, nil
}

// parseRepository parses a repository, whose registry has no default.
func parseRepository(text string, insecure bool) (name.Repository, error) {
	options := []name.Option{name.StrictValidation}
	if insecure {
		options = append(options, name.Insecure)
	}
	repository, err := name.NewRepository(text, options...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("%q is not a repository of a registry, such as registry.example/charts/web", text)
	}
	return repository, nil
}

// chartName returns the name of the chart in a repository.
func chartName(repository name.Repository) string { return path.Base(repository.RepositoryStr()) }

// List lists the tags of each repository, and reads the manifests of the newest versions. For a
// manifest that was read before, it only requests the digest of the tag, with HEAD: of all tags in a complete
// listing, otherwise of the newest version, of new tags and of tags that were not checked for a time.
func (s *registrySource) List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error) {
	ctx, cancel := context.WithTimeout(ctx, maxListingTime)
	defer cancel()
	ctx = reportReadingOnce(ctx)
	isComplete := since.Complete || since.Revision == ""
	repositories := s.repositories
	if s.catalog != nil {
		var err error
		if repositories, err = s.catalog.listRepositories(ctx, s.client); err != nil {
			return hydrate.Listing{}, err
		}
	}
	selector := newVersionSelector(s.listingOptions, v1alpha1.ReasonInvalidChart)
	wanted := slices.DeleteFunc(slices.Clone(repositories), func(r name.Repository) bool { return !selector.Wants(chartName(r)) })
	listed := make([]chartListing, len(wanted))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrentRepositories)
	for i, repository := range wanted {
		group.Go(outcome.Guarded(func() (err error) {
			listed[i], err = s.listRepository(ctx, repository, isComplete)
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return hydrate.Listing{}, err
	}
	if err := commonFailure(listed); err != nil {
		return hydrate.Listing{}, err
	}
	if err := s.addCharts(selector, wanted, listed); err != nil {
		return hydrate.Listing{}, err
	}
	return selector.toListing("", since), nil
}

// addCharts adds the charts in repositories to a listing.
func (s *registrySource) addCharts(selector *versionSelector, repositories []name.Repository, listed []chartListing) error {
	for i, each := range listed {
		app := chartName(repositories[i])
		if s.catalog != nil && outcome.Reason(each.failure, "") == v1alpha1.ReasonNotFound {
			continue // Catalogs contain repositories whose tags were deleted.
		}
		if each.failure != nil {
			selector.Skip(app, each.failure)
			continue
		}
		if each.isUnwanted {
			selector.countUnwanted(app)
		}
		if s.catalog != nil && len(each.entries) == 0 {
			continue // A registry can contain repositories of other artifacts.
		}
		for _, entry := range each.entries {
			if err := selector.Add(app, entry); err != nil {
				return err
			}
		}
		for _, err := range each.invalid {
			selector.Skip(app, err)
		}
	}
	return nil
}

// reportReadingOnce returns a context in which only the first call of hydrate.ReportReading has an
// effect. It is called for each manifest that was not read before.
func reportReadingOnce(ctx context.Context) context.Context {
	report := sync.OnceValue(func() error { return hydrate.ReportReading(ctx, "") })
	return hydrate.WithReading(ctx, func(context.Context, string) error { return report() })
}

// chartListing contains the newest versions in one repository.
type chartListing struct {
	entries []index.Entry
	invalid []error
	// failure is the error of a repository that does not prevent the listing of others.
	failure error
	// isUnwanted is set if the filter excludes all versions.
	isUnwanted bool
}

// commonFailure returns the error of the first repository if no repository could be listed, such as with
// invalid credentials.
func commonFailure(listed []chartListing) error {
	var first error
	for _, each := range listed {
		if each.failure == nil {
			return nil
		}
		first = cmp.Or(first, each.failure)
	}
	return first
}

// isRepositoryFailure reports whether the cause of an error is one repository and not the registry.
func isRepositoryFailure(err error) bool {
	switch outcome.Reason(err, "") {
	case v1alpha1.ReasonNotFound, v1alpha1.ReasonUnauthorized, v1alpha1.ReasonLimitExceeded:
		return true
	}
	return false
}

// listRepository lists the newest versions of one repository.
func (s *registrySource) listRepository(ctx context.Context, repository name.Repository, isComplete bool) (chartListing, error) {
	tags, err := s.client.listTags(ctx, repository)
	if isRepositoryFailure(err) {
		return chartListing{failure: err}, nil
	}
	if err != nil {
		return chartListing{}, err
	}
	versions, isUnwanted := s.newestVersions(chartName(repository), tags)
	listed, known, listedTags := chartListing{isUnwanted: isUnwanted}, s.findCheckedTags(repository), []name.Tag(nil)
	for i, version := range versions {
		tag := repository.Tag(versionTag(version))
		listedTags = append(listedTags, tag)
		if isComplete || i == 0 {
			known.forgetTag(tag.TagStr())
		}
		entry, err := s.readListedTag(ctx, known, tag)
		switch {
		case isInvalidChart(err), outcome.Reason(err, "") == v1alpha1.ReasonNotFound: // The tag was deleted, or has no content.
			listed.invalid = append(listed.invalid, err)
		case err != nil:
			return chartListing{}, err
		case entry.Version != version:
			listed.invalid = append(listed.invalid, fmt.Errorf("the chart of tag %q has the version %q", versionTag(version), entry.Version))
		default:
			listed.entries = append(listed.entries, entry)
		}
	}
	known.forgetOtherTags(listedTags)
	return listed, nil
}

// isInvalidChart reports whether an error is one of a single chart, which must not prevent the listing of others.
func isInvalidChart(err error) bool {
	switch outcome.Reason(err, "") {
	case v1alpha1.ReasonInvalidChart, v1alpha1.ReasonLimitExceeded:
		return outcome.IsStalled(err)
	}
	return false
}

// Fetch fetches the archive of an offer by its digest.
func (s *registrySource) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	for _, repository := range s.possibleRepositories(offer) {
		if tag := repository.Tag(versionTag(offer.Version)); offer.URL == urlOf(tag) {
			archive, err := s.client.readArchive(ctx, repository.Digest(offer.Digest))
			s.forgetMovedTag(tag, err)
			return hydrate.ChartContent{Archive: archive}, err
		}
	}
	return hydrate.ChartContent{}, outcome.Stalled(v1alpha1.ReasonFetchFailed, errors.New("get chart: the URL does not belong to a repository of the source"))
}

// possibleRepositories returns the repositories that can contain the chart of an offer.
func (s *registrySource) possibleRepositories(offer hydrate.Offer) []name.Repository {
	if s.catalog == nil {
		return s.repositories
	}
	path, found := strings.CutPrefix(offer.URL, urlOf(s.catalog)+"/")
	chart, _, _ := strings.Cut(path, ":")
	if !found || checkName(chart) != nil {
		return nil
	}
	return []name.Repository{s.catalog.registry.Repo(s.catalog.prefix + chart)}
}

// urlOf returns the URL of a repository, tag or digest.
func urlOf(target fmt.Stringer) string { return ociScheme + target.String() }
