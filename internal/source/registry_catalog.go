package source

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxCatalog is the maximum number of repositories in the catalog of a registry, and
	// maxCatalogPages the maximum number of its pages.
	maxCatalog, maxCatalogPages = 50_000, 1_000
	// maxCatalogCharts is the maximum number of repositories of the catalog that a source lists.
	maxCatalogCharts = 2_000
)

// registryCatalog finds the repositories below a path in the catalog of a registry.
type registryCatalog struct {
	registry name.Registry
	// prefix is the path with a slash at its end, empty for the root of the registry.
	prefix string
}

func newRegistryCatalog(base string, insecure bool) (*registryCatalog, error) {
	host, path, _ := strings.Cut(base, "/")
	options := []name.Option{name.StrictValidation}
	if insecure {
		options = append(options, name.Insecure)
	}
	registry, err := name.NewRegistry(host, options...)
	if err != nil {
		return nil, fmt.Errorf("%q is not the address of a registry, such as registry.example", host)
	}
	if path != "" {
		path += "/"
	}
	return &registryCatalog{registry: registry, prefix: path}, nil
}

// listRepositories returns the repositories directly below the path, sorted.
func (c *registryCatalog) listRepositories(ctx context.Context, client *registryClient) ([]name.Repository, error) {
	all, err := client.readCatalog(ctx, c.registry)
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	var found []name.Repository
	for _, path := range slices.Compact(all) {
		chart, below := strings.CutPrefix(path, c.prefix)
		if !below || checkName(chart) != nil {
			continue
		}
		if len(found) == maxCatalogCharts {
			return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(
				"%s has more than %d repositories; set spec.oci.charts instead of spec.oci.allCharts", urlOf(c), maxCatalogCharts))
		}
		found = append(found, c.registry.Repo(path))
	}
	if len(found) == 0 {
		return nil, outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("the catalog of the registry has no repositories below %s: check spec.oci.url", urlOf(c)))
	}
	return found, nil
}

// String returns the registry and the path.
func (c *registryCatalog) String() string {
	return strings.TrimSuffix(c.registry.RegistryStr()+"/"+c.prefix, "/")
}

// readCatalog returns the paths of the repositories of a registry.
func (c *registryClient) readCatalog(ctx context.Context, registry name.Registry) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	catalog := catalogOf{registry}
	pages, err := c.puller.Catalogger(ctx, registry)
	if err != nil {
		return nil, c.toError(catalog, err)
	}
	var all []string
	for count := 1; pages.HasNext(); count++ {
		page, err := pages.Next(ctx)
		if err != nil {
			return nil, c.toError(catalog, err)
		}
		if all = append(all, page.Repos...); len(all) > maxCatalog || count > maxCatalogPages {
			return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(
				"%s has more than %d repositories or %d pages; set spec.oci.charts instead of spec.oci.allCharts", urlOf(catalog), maxCatalog, maxCatalogPages))
		}
	}
	return all, nil
}

// catalogOf is the catalog of a registry in messages.
type catalogOf struct{ registry name.Registry }

// String returns the path of the catalog.
func (c catalogOf) String() string { return c.registry.RegistryStr() + "/v2/_catalog" }
