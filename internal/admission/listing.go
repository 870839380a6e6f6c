package admission

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
)

// ReviewVerb is the RBAC verb for AppInfos that allows a service account to install drafts and
// versions that are withheld.
const ReviewVerb = "review"

// CheckListing checks that the app is listed, so that the version may be installed or upgraded to.
// The version and the chart that are already installed are not checked, so that running instances can
// be configured.
func CheckListing(ctx context.Context, o *Operation, f *Findings) error {
	if o.App == nil || o.isInstalledChart() {
		return nil
	}
	name := o.App.Info.Spec.App
	listing := o.App.Listing()
	switch {
	case listing == v1alpha1.ListingWithdrawn && o.Upgrade:
		f.AddUnmet(v1alpha1.ReasonListingWithdrawn, "app %q has been withdrawn by its market and cannot be upgraded; use another app", name)
		return nil
	case listing == v1alpha1.ListingWithdrawn:
		f.AddUnmet(v1alpha1.ReasonListingWithdrawn, "app %q has been withdrawn by its market and cannot be installed; use another app", name)
		return nil
	case listing == v1alpha1.ListingSuspended && !o.Upgrade:
		f.AddUnmet(v1alpha1.ReasonListingSuspended,
			"app %q has been suspended by its market and cannot be newly installed; wait until it is listed again, or use another app", name)
		return nil
	}
	isWithheld := o.Version != nil && catalog.IsWithheld(o.App.Source, o.Version)
	if listing != v1alpha1.ListingDraft && !isWithheld {
		return nil
	}
	if isReviewer, err := o.mayReview(ctx); err != nil || isReviewer {
		return err
	}
	if listing == v1alpha1.ListingDraft {
		f.AddUnmet(v1alpha1.ReasonDraft,
			"%s; wait until a reviewer of the market lists it, or use a service account with the verb %q for appinfos.%s in namespace %q",
			o.App.DraftMessage(), ReviewVerb, v1alpha1.GroupVersion.Group, o.App.Info.Namespace)
		return nil
	}
	f.AddUnmet(v1alpha1.ReasonAuditFailed, "version %s of app %q is withheld because of its audit; use another version", o.Version.Version, name)
	return nil
}

// isInstalledChart reports whether the operation keeps the chart that is installed.
func (o *Operation) isInstalledChart() bool {
	return o.Upgrade && o.Instance != nil && o.Version != nil &&
		o.Instance.Status.Version == o.Version.Version && o.Instance.Status.ChartDigest == o.Version.Digest
}

// mayReview reports whether the service account may review the app.
func (o *Operation) mayReview(ctx context.Context) (bool, error) {
	allowed, err := hasPermission(ctx, o.Tenants, o.Tenant, ReviewVerb, "appinfos", client.ObjectKeyFromObject(o.App.Info))
	if err != nil {
		return false, fmt.Errorf("check the permission to review app %q: %w", o.App.Info.Spec.App, err)
	}
	return allowed, nil
}
