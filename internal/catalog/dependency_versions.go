package catalog

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// DependencyVersions returns the versions of an app of another source that can be added to the charts of a dependent
// source. A chart that is added can be read by all namespaces that can use the dependent source, so each of them must be able
// to use the other source: it is shared with all namespaces, or the dependent source is available in its own namespace only. The
// error is the same for a source that does not exist, one that is not shared, and an app that is not listed. It is not stalled,
// because all of this can change.
func (c *Catalog) DependencyVersions(ctx context.Context, dependent *v1alpha1.MarketSource, ref v1alpha1.AppReference) ([]v1alpha1.PublishedVersion, error) {
	notFound := outcome.Failed(v1alpha1.ReasonNotFound, fmt.Errorf(
		"source %q in namespace %q has no listed chart with this name, or is not shared with all namespaces that can use source %q",
		ref.Source, ref.Namespace, dependent.Name))
	source, app := &v1alpha1.MarketSource{}, &v1alpha1.AppInfo{}
	for name, object := range map[string]client.Object{ref.Source: source, ref.AppInfoName(): app} {
		err := c.Objects.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: name}, object)
		if apierrors.IsNotFound(err) {
			return nil, notFound
		}
		if err != nil {
			return nil, fmt.Errorf("get %q in namespace %q: %w", name, ref.Namespace, err)
		}
	}
	isAllowed := c.Markets.SharingOf(source) == v1alpha1.NamespacesFromAll
	if !isAllowed && c.Markets.SharingOf(dependent) == v1alpha1.NamespacesFromSame {
		var err error
		if isAllowed, err = c.isSourceShared(ctx, source, dependent.Namespace); err != nil {
			return nil, err
		}
	}
	if !isAllowed || EffectiveListing(source, app) != v1alpha1.ListingListed {
		return nil, notFound
	}
	isSold := func(v v1alpha1.PublishedVersion) bool { return v.Purchase != nil }
	return slices.DeleteFunc(slices.Clone(OfferedVersions(source, app.Status.Versions)), isSold), nil
}
