package app

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

// sourceFactory opens the source that a MarketSource specifies, with the settings that the
// flags give its namespace.
type sourceFactory struct {
	// secrets reads the Secrets that sources refer to, without a cache.
	secrets   client.Reader
	options   *options
	userAgent string
	// folders caches the charts of sources of type Directory.
	folders *source.FolderCache
	// uploads contains the charts of sources of type Upload.
	uploads source.UploadStore
	// checkouts holds the files of sources of the types Git and Artifact.
	checkouts *source.Checkouts
	// shared keeps listings for sources with the same configuration.
	shared *source.SharedListings
	// kinds maps the kinds of the objects of sources of type Artifact.
	kinds meta.RESTMapper
	// catalog and archives contain the published charts of all sources.
	catalog  *catalog.Catalog
	archives *chartrepo.Store
}

func (f sourceFactory) openSource(ctx context.Context, ms *v1alpha1.MarketSource) (source.Source, error) {
	if ms.Spec.Directory != nil {
		if err := f.options.marketNamespaces().CheckDirectory(ms.Namespace); err != nil {
			return nil, outcome.Stalled(v1alpha1.ReasonNotMarket, err)
		}
	}
	return source.FromSpec(ctx, f.secrets, ms, source.Options{
		UserAgent: f.userAgent, Network: f.options.networkPolicy(ms.Namespace),
		AllowedRoots: f.options.allowed.rootsFor(ms.Namespace), Cache: f.folders, Checkouts: f.checkouts, Uploads: f.uploads,
		Shared: f.shared, Kinds: f.kinds,
		Market:       marketCharts{catalog: f.catalog, archives: f.archives, dependent: ms},
		PublishedURL: repositoryURL(f.options) + "/" + ms.Namespace + "/" + ms.Name,
	})
}

// marketCharts contains the published charts that the charts of a source can depend on.
type marketCharts struct {
	catalog   *catalog.Catalog
	archives  *chartrepo.Store
	dependent *v1alpha1.MarketSource
}

func (m marketCharts) FindVersions(ctx context.Context, namespace, source, chart string) ([]v1alpha1.PublishedVersion, error) {
	return m.catalog.DependencyVersions(ctx, m.dependent, v1alpha1.AppReference{Namespace: namespace, Source: source, Name: chart})
}

func (m marketCharts) Archive(digest string) ([]byte, error) { return m.archives.Archive(digest) }
