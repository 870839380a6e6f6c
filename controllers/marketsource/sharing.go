package marketsource

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
)

// checkSharing sets the AllowedNamespacesIgnored condition if spec.allowedNamespaces has no effect. The source
// is still listed for its own namespace.
func (r *Reconciler) checkSharing(_ context.Context, s *scope) error {
	message, reason := r.Markets.IgnoredSharingMessage(s.source), ""
	if message != "" {
		reason = v1alpha1.ReasonNotMarket
	}
	s.statusWriter.SetFlag(v1alpha1.ConditionAllowedNamespacesIgnored, reason, message)
	return nil
}
