package appinfo

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// verificationChangedPredicate selects sources whose verification policy or trust root has changed.
func verificationChangedPredicate() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isSource := e.ObjectOld.(*v1alpha1.MarketSource)
		after, isAlsoSource := e.ObjectNew.(*v1alpha1.MarketSource)
		return isSource && isAlsoSource && before.Status.VerificationDigest != after.Status.VerificationDigest
	}}
}

// readPolicy sets s.policyDigest, and s.policy if a version was not verified with the policy that the
// source has recorded. The trust root is then read, because it may have changed since.
func (r *Reconciler) readPolicy(ctx context.Context, s *scope) error {
	if s.source.Spec.Verify == nil {
		return nil
	}
	s.policyDigest = s.source.Status.VerificationDigest
	isVerified := func(o v1alpha1.Offer) bool {
		have := findPublished(s.app, o.Version)
		return have != nil && s.policyDigest != "" && verdictDigest(have) == s.policyDigest
	}
	if !isReconcileRequested(s.app) && !slices.ContainsFunc(s.app.Spec.Offers, func(o v1alpha1.Offer) bool { return !isVerified(o) }) {
		return nil
	}
	return r.loadPolicy(ctx, s)
}

// withdrawUncheckable stops serving versions that are not verified and cannot be verified now, because the
// app or its source is suspended, or because the source no longer offers them.
func (r *Reconciler) withdrawUncheckable(ctx context.Context, s *scope) error {
	if s.source == nil || s.source.Spec.Verify == nil || len(s.app.Status.Versions) == 0 {
		return nil
	}
	digest := s.source.Status.VerificationDigest
	isSuspended := isTrue(s.app.Spec.Suspend) || isTrue(s.source.Spec.Suspend)
	if isSuspended {
		digest = "" // Nothing updates the status of a suspended source.
		// A trust root that cannot be read changes no verdict: versions without one are withdrawn in any case.
		if policy, err := r.Policy(ctx, s.source); err == nil {
			digest = policy.Digest
		}
	}
	err := r.withdrawVersions(s, func(v v1alpha1.PublishedVersion) bool {
		return (isSuspended || !isOffered(s.app, v.Version)) && (v.Verification == nil || digest != "" && verdictDigest(&v) != digest)
	})
	if err == nil && isSuspended && len(s.app.Status.Versions) == 0 {
		s.statusWriter.SetNotReady(v1alpha1.ReasonSignatureMissing, "no version was verified as spec.verify of the source requires")
	}
	return err
}

// loadPolicy reads the verification policy with its trust root. If that fails, versions that were never
// verified are no longer served.
func (r *Reconciler) loadPolicy(ctx context.Context, s *scope) error {
	if s.policy != nil || s.source.Spec.Verify == nil {
		return nil
	}
	policy, err := r.Policy(ctx, s.source)
	if err == nil {
		s.policy, s.policyDigest = policy, policy.Digest
		return nil
	}
	err = status.ForCondition(v1alpha1.ConditionFetched, err)
	isUnverified := func(v v1alpha1.PublishedVersion) bool { return v.Verification == nil && isOffered(s.app, v.Version) }
	if withdrawErr := r.withdrawVersions(s, isUnverified); withdrawErr != nil {
		return withdrawErr
	}
	return r.keepReady(s, err)
}

// verdictDigest returns the digest of the policy with which a version was verified, or "".
func verdictDigest(v *v1alpha1.PublishedVersion) string {
	if v.Verification == nil {
		return ""
	}
	return v.Verification.PolicyDigest
}

func isOffered(app *v1alpha1.AppInfo, version string) bool {
	return slices.ContainsFunc(app.Spec.Offers, func(o v1alpha1.Offer) bool { return o.Version == version })
}

// withdrawUnverified stops serving versions whose hydration failed, if they were not verified with
// the current policy. A version that was verified with another policy is kept if the server did not respond
// for the first time, because the next attempt decides.
func (r *Reconciler) withdrawUnverified(s *scope, failed map[string]error, hasFailedBefore bool) error {
	if s.source.Spec.Verify == nil {
		return nil
	}
	isFirstFailure := func(err error) bool {
		return !hasFailedBefore && !outcome.IsStalled(err) && outcome.Reason(err, v1alpha1.ReasonFetchFailed) == v1alpha1.ReasonFetchFailed
	}
	return r.withdrawVersions(s, func(v v1alpha1.PublishedVersion) bool {
		err := failed[v.Version]
		return err != nil && (v.Verification == nil || verdictDigest(&v) != s.policyDigest && !isFirstFailure(err))
	})
}

// failVersions returns an error that prevents the hydration of all versions, after it has stopped serving those that
// are not verified.
func (r *Reconciler) failVersions(s *scope, err error, hasFailedBefore bool) error {
	failed := map[string]error{}
	for _, o := range s.app.Spec.Offers {
		failed[o.Version] = err
	}
	if withdrawErr := r.withdrawUnverified(s, failed, hasFailedBefore); withdrawErr != nil {
		return withdrawErr
	}
	return r.keepReady(s, err)
}

// withdrawVersions removes published versions from the repository and the status. Instances keep
// running, but the versions cannot be installed.
func (r *Reconciler) withdrawVersions(s *scope, isWithdrawn func(v v1alpha1.PublishedVersion) bool) error {
	kept := slices.DeleteFunc(slices.Clone(s.app.Status.Versions), isWithdrawn)
	if len(kept) == len(s.app.Status.Versions) {
		return nil
	}
	var names []string
	for _, v := range kept {
		names = append(names, v.Version)
	}
	if err := r.Repository.Remove(ownerFor(s.app), s.app.Spec.App, names...); err != nil {
		return fmt.Errorf("remove versions that are not verified: %w", err)
	}
	s.app.Status.Versions = kept
	if len(kept) == 0 {
		clearSelected(s.app)
	}
	return nil
}

// clearSelected removes the description of the selected version.
func clearSelected(app *v1alpha1.AppInfo) {
	st := &app.Status
	st.SelectedVersion, st.Summary, st.Images, st.ImagesCheckedAt = "", nil, nil, nil
}

// acceptedDigests returns the digests of which the chart of a version must have one, or nil if
// every chart is accepted.
func acceptedDigests(s *scope, version string) []string {
	have := findPublished(s.app, version)
	if have == nil || have.ChartDigest == "" || areVersionsMutable(s.source) {
		return nil
	}
	accepted := []string{have.ChartDigest}
	for _, each := range s.app.Spec.AcceptedDigests {
		if each.Version == version {
			accepted = append(accepted, each.Digest)
		}
	}
	return accepted
}

// areVersionsMutable reports whether the chart of a version may change.
func areVersionsMutable(source *v1alpha1.MarketSource) bool {
	if source.Spec.MutableVersions != "" {
		return source.Spec.MutableVersions == v1alpha1.MutableVersionsAllow
	}
	switch source.Spec.Type {
	case v1alpha1.SourceTypeHelm, v1alpha1.SourceTypeOCI:
		return false
	case v1alpha1.SourceTypeUpload:
		return source.Spec.Upload != nil && isTrue(source.Spec.Upload.AllowOverwrite)
	}
	return true
}

// toVerdict returns the verdict for the status.
func toVerdict(d *hydrate.Draft) *v1alpha1.SignatureVerdict {
	if d.Verdict == nil {
		return nil
	}
	verdict := *d.Verdict
	return &verdict
}

// verifiedMessage returns the part of a message that describes the verified signature of a chart.
func verifiedMessage(d *hydrate.Draft) string {
	if d.Verdict == nil {
		return ""
	}
	return fmt.Sprintf(", signature of %s verified with %s", d.Verdict.Identity, d.Verdict.Provider)
}
