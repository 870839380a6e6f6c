package appinfo

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/audit"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/review"
	"github.com/appmarket/operator/internal/text"
)

// maxUserBytes is the maximum length of the name of a user in status.
const maxUserBytes = 512

// reviewListing updates the condition Listed and the result of the review. It does so for suspended
// and failed apps, too: a user can withdraw them.
func (r *Reconciler) reviewListing(ctx context.Context, s *scope) error {
	source := &v1alpha1.MarketSource{}
	key := types.NamespacedName{Namespace: s.app.Namespace, Name: s.app.Spec.SourceRef.Name}
	if err := r.Get(ctx, key, source); apierrors.IsNotFound(err) {
		return nil // The last review stays while the source does not exist.
	} else if err != nil {
		return fmt.Errorf("get source %q: %w", key.Name, err)
	}
	if !catalog.RequiresReview(source) && s.app.Spec.Listing == "" {
		s.app.Status.Review = nil
		s.statusWriter.SetFact(v1alpha1.ConditionListed, false, "", "")
		return nil
	}
	verdict, err := review.Decide(source, s.app, func(app string) (*v1alpha1.AppInfo, error) { return r.findApp(ctx, source, app) })
	if err != nil {
		return err
	}
	s.recordReview(verdict.Review)
	s.statusWriter.SetFact(v1alpha1.ConditionListed, verdict.IsListed, verdict.Reason, verdict.Message)
	return nil
}

// findApp returns another app of the source, or nil if the source has no such app.
func (r *Reconciler) findApp(ctx context.Context, source *v1alpha1.MarketSource, app string) (*v1alpha1.AppInfo, error) {
	found := &v1alpha1.AppInfo{}
	err := r.Get(ctx, types.NamespacedName{Namespace: source.Namespace, Name: source.Name + "." + app}, found)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get app %q: %w", app, err)
	}
	return found, nil
}

// recordReview writes the result of a review to status, and records who changed spec.listing and when.
func (s *scope) recordReview(result v1alpha1.AppReview) {
	before := s.app.Status.Review
	if before != nil {
		result.ChangedBy, result.ChangedAt = before.ChangedBy, before.ChangedAt
		result.Version, result.Findings = before.Version, before.Findings
	}
	if before == nil && s.app.Spec.Listing != "" || before != nil && before.Listing != result.Listing {
		now := metav1.Now()
		result.ChangedAt = &now
		result.ChangedBy = text.Limit(s.app.Annotations[v1alpha1.ListingChangedByAnnotation], maxUserBytes)
	}
	if !equality.Semantic.DeepEqual(before, &result) {
		s.app.Status.Review = &result
	}
}

// maxReviewFindings is the maximum number of findings in status.
const maxReviewFindings = 20

// recordAudit writes the result of the audit of a version to status. The findings belong to the latest
// version.
func recordAudit(app *v1alpha1.AppInfo, version string, report *audit.Report) {
	published := findPublished(app, version)
	if report == nil || published == nil {
		return
	}
	published.Audit = &v1alpha1.AuditCounts{Denied: int32(report.Denied), Warned: int32(report.Warned)}
	if catalog.NewestVersion(app.Status.Versions).Version != version {
		return
	}
	if app.Status.Review == nil {
		app.Status.Review = &v1alpha1.AppReview{Listing: v1alpha1.ListingDraft}
	}
	sorted := slices.Clone(report.Findings)
	slices.SortStableFunc(sorted, func(a, b v1alpha1.AuditFinding) int { return cmp.Compare(a.Effect, b.Effect) }) // Deny is before Warn.
	app.Status.Review.Version = version
	app.Status.Review.Findings = catalog.FirstItems(sorted, maxReviewFindings)
}

// isReviewMissing reports whether a version is the latest one and its findings are not in status.
func isReviewMissing(s *scope, version string) bool {
	review := s.app.Status.Review
	return catalog.RequiresReview(s.source) && review != nil && review.Version != version &&
		catalog.NewestVersion(s.app.Status.Versions).Version == version
}
