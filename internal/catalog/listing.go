package catalog

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// RequestedListing returns the listing that users request for an app: spec.listing or its default.
// An app of a source that does not exist has the default of a source without a review.
func RequestedListing(source *v1alpha1.MarketSource, app *v1alpha1.AppInfo) v1alpha1.Listing {
	standard := v1alpha1.ListingListed
	if RequiresReview(source) {
		standard = v1alpha1.ListingDraft
	}
	return cmp.Or(app.Spec.Listing, standard)
}

// EffectiveListing returns the listing that applies to an app: the requested one, or Draft if the app
// should be listed and has not passed the checks that its source requires.
func EffectiveListing(source *v1alpha1.MarketSource, app *v1alpha1.AppInfo) v1alpha1.Listing {
	listing := RequestedListing(source, app)
	if listing == v1alpha1.ListingListed && RequiresReview(source) && !meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionListed) {
		return v1alpha1.ListingDraft
	}
	return listing
}

// RequiresReview reports whether the apps of a source, which may be nil, are drafts until they are
// listed.
func RequiresReview(source *v1alpha1.MarketSource) bool {
	return source != nil && source.Spec.Listing == v1alpha1.ListingReviewed
}

// IsIndexed reports whether an app with a listing is in the index of the repository.
func IsIndexed(listing v1alpha1.Listing) bool {
	return listing == v1alpha1.ListingListed || listing == v1alpha1.ListingSuspended
}

// IsWithheld reports whether only reviewers can install a version, because its source requires a
// review and its audit has findings that deny it or has not run yet.
func IsWithheld(source *v1alpha1.MarketSource, version *v1alpha1.PublishedVersion) bool {
	return RequiresReview(source) && (version.Audit == nil || version.Audit.Denied > 0)
}

// OfferedVersions returns the versions that are not withheld.
func OfferedVersions(source *v1alpha1.MarketSource, published []v1alpha1.PublishedVersion) []v1alpha1.PublishedVersion {
	if !RequiresReview(source) {
		return published
	}
	return slices.DeleteFunc(slices.Clone(published), func(v v1alpha1.PublishedVersion) bool { return IsWithheld(source, &v) })
}

// HasListingChanged reports whether the listing of an app, or the result of its review, differs
// between two of its states.
func HasListingChanged(before, after *v1alpha1.AppInfo) bool {
	return before.Spec.Listing != after.Spec.Listing ||
		meta.IsStatusConditionTrue(before.Status.Conditions, v1alpha1.ConditionListed) !=
			meta.IsStatusConditionTrue(after.Status.Conditions, v1alpha1.ConditionListed)
}

// Listing returns the listing that applies to the app.
func (a *App) Listing() v1alpha1.Listing { return EffectiveListing(a.Source, a.Info) }

// unlistedReason returns the message of the condition Listed for a sentence, or "" if there is none.
func (a *App) unlistedReason() string {
	if c := meta.FindStatusCondition(a.Info.Status.Conditions, v1alpha1.ConditionListed); c != nil && c.Status != metav1.ConditionTrue {
		return fmt.Sprintf(" (%s)", c.Reason)
	}
	return ""
}

// DraftMessage returns a sentence that says why a draft cannot be installed.
func (a *App) DraftMessage() string {
	return fmt.Sprintf("app %q of source %q is a draft%s", a.Info.Spec.App, a.Source.Name, a.unlistedReason())
}
