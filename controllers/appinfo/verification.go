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

// isUntrusted reports whether an error means that a chart does not satisfy the policy.
func isUntrusted(err error) bool {
	switch outcome.Reason(err, "") {
	case v1alpha1.ReasonSignatureMissing, v1alpha1.ReasonSignatureInvalid, v1alpha1.ReasonIdentityMismatch:
		return true
	}
	return false
}

// withdrawUnverified stops serving versions whose hydration failed, if they were not verified with
// the current policy: those that were never verified, and those that the current policy rejects.
func (r *Reconciler) withdrawUnverified(s *scope, failed map[string]error) error {
	if s.source.Spec.Verify == nil {
		return nil
	}
	return r.withdrawVersions(s, func(v v1alpha1.PublishedVersion) bool {
		err := failed[v.Version]
		return err != nil && (v.Verification == nil || verdictDigest(&v) != s.policyDigest && isUntrusted(err))
	})
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
	return source.Spec.Type != v1alpha1.SourceTypeHelm && source.Spec.Type != v1alpha1.SourceTypeOCI
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
