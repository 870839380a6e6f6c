package app

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
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
		PublishedURL: repositoryURL(f.options) + "/" + ms.Namespace + "/" + ms.Name,
	})
}
