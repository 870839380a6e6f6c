package marketsource

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
)

// updatePolicyDigest reads the trust root of a source and records its digest in status, which the
// apps of the source compare. It is called whenever the source is requested.
func (r *Reconciler) updatePolicyDigest(ctx context.Context, source *v1alpha1.MarketSource) error {
	source.Status.VerificationDigest = ""
	if source.Spec.Verify == nil {
		return nil
	}
	digest, err := r.PolicyDigest(ctx, source)
	source.Status.VerificationDigest = digest
	return err
}

// reportVerification sets the Verified condition, which exists only if signatures are verified. If
// the trust root is not available, the apps are counted nevertheless.
func (r *Reconciler) reportVerification(ctx context.Context, s *scope) error {
	verify := s.source.Spec.Verify
	if verify == nil {
		s.statusWriter.SetFlag(v1alpha1.ConditionVerified, "", "")
		return nil
	}
	if err := r.lastPoll(s.source.UID).policyErr; err != nil {
		if countErr := r.countApps(ctx, s); countErr != nil && !isVerdictOfApps(countErr) {
			return countErr
		}
		if apps := s.source.Status.Apps; apps != nil && apps.Ready > 0 {
			s.statusWriter.KeepReady(countsMessage(*apps) + "; " + err.Error())
		}
		return status.ForCondition(v1alpha1.ConditionVerified, err)
	}
	message := fmt.Sprintf("only charts with a signature for the provider %s are served", verify.Provider)
	if n := countUntrusted(s.apps); n > 0 {
		message += fmt.Sprintf("; the newest version of %s has none", text.Count(n, "app", "apps"))
	}
	s.statusWriter.MarkTrue(v1alpha1.ConditionVerified, v1alpha1.ReasonVerified, message)
	return nil
}

// isVerdictOfApps reports whether an error of countApps describes the apps, which fail for the
// same reason as the source.
func isVerdictOfApps(err error) bool {
	reason := outcome.Reason(err, "")
	return reason == v1alpha1.ReasonAppsNotReady || reason == v1alpha1.ReasonWaitingForApp
}

// countUntrusted returns the number of apps with a version that has no valid signature.
func countUntrusted(apps []v1alpha1.AppInfo) int {
	count := 0
	for i := range apps {
		failure := appFailure(&apps[i])
		if failure == nil {
			continue
		}
		switch failure.Reason {
		case v1alpha1.ReasonSignatureMissing, v1alpha1.ReasonSignatureInvalid, v1alpha1.ReasonIdentityMismatch:
			count++
		}
	}
	return count
}
